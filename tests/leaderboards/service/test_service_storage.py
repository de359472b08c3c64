"""Queue, accounts and migrations, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hepgym.leaderboards.service.storage import accounts, queue
from hepgym.leaderboards.service.storage.accounts import AccountError
from hepgym.leaderboards.service.storage.database import Database, DatabaseError, head_revision
from hepgym.leaderboards.service.storage.queue import ClaimLostError
from hepgym.leaderboards.service.storage.tables import Job, Table, Token


def put(database, *subjects, **more):
    with database.write() as session:
        for subject in subjects:
            queue.enqueue(session, "score", subject, **more)


def take(database, worker="w", lease_s=60.0):
    with database.write() as session:
        return queue.claim(session, worker, lease_s)


def test_migrations_make_the_tables_of_the_code(database):
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_migrating_again_and_at_once_changes_nothing(database_url):
    opened = [Database(database_url) for _ in range(4)]
    threads = [threading.Thread(target=one.migrate) for one in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with opened[0].engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == head_revision()
    for one in opened:
        one.close()


def test_migrations_can_be_taken_back(database):
    from alembic import command

    from hepgym.leaderboards.service.storage.database import _alembic

    with database.engine.begin() as connection:
        command.downgrade(_alembic(connection), "base")
    database.migrate()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "cannot be read"),
        ("postgresql+psycopg://nobody@127.0.0.1:1/none", "cannot be used"),
    ],
)
def test_a_bad_url_is_one_sentence(url, sentence):
    with pytest.raises(DatabaseError, match=sentence):
        Database(url).migrate()


def test_jobs_come_by_priority_then_age(database):
    put(database, "late", priority=queue.LAST)
    put(database, "a", "b", priority=queue.FIRST)
    assert [take(database).subject for _ in range(3)] == ["a", "b", "late"]
    assert take(database) is None


def test_the_same_job_twice_is_one(database):
    put(database, "a")
    put(database, "a")
    assert take(database).subject == "a"
    assert take(database) is None


def test_a_job_that_ended_is_done_again_only_on_demand(database):
    put(database, "a")
    with database.write() as session:
        queue.finish(session, queue.claim(session, "w", 60.0))
    put(database, "a")
    assert take(database) is None
    put(database, "a", again=True)
    assert take(database).attempts == 1


def test_many_workers_share_the_jobs(database):
    names = [f"job {number}" for number in range(40)]
    put(database, *names)
    taken: list[str] = []

    def work():
        while claim := take(database):
            taken.append(claim.subject)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(names)


def test_a_lost_lease_voids_the_claim(database):
    put(database, "a")
    first = take(database, lease_s=-1.0)
    second = take(database)
    assert second.id == first.id
    assert second.attempts == 2
    for change in (
        lambda session: queue.renew(session, first, 60.0),
        lambda session: queue.finish(session, first),
        lambda session: queue.put_back(session, first, counted=True),
    ):
        with pytest.raises(ClaimLostError), database.write() as session:
            change(session)
    with database.write() as session:
        queue.finish(session, second)
    with pytest.raises(ClaimLostError), database.write() as session:
        queue.finish(session, second)


def test_nothing_of_a_transaction_stays_if_the_claim_is_lost(database):
    put(database, "a")
    lost = take(database, lease_s=-1.0)
    take(database)

    def record():
        with database.write() as session:
            queue.enqueue(session, "draw", "result of the lost job")
            queue.finish(session, lost)

    with pytest.raises(ClaimLostError):
        record()
    with database.read() as session:
        assert queue.find(session, "draw", "result of the lost job") is None


def test_jobs_of_a_dead_worker_go_back(database):
    put(database, "a", "b")
    take(database, "dead")
    take(database, "alive")
    with database.write() as session:
        assert queue.release_worker(session, "dead") == 1
    assert take(database).subject == "a"


def test_a_job_put_back_uncounted_was_never_begun(database):
    put(database, "a")
    with database.write() as session:
        queue.put_back(session, queue.claim(session, "w", 60.0), counted=False)
    assert take(database).attempts == 1


def test_depth_counts(database):
    put(database, "a", "b")
    take(database)
    with database.read() as session:
        assert queue.depth(session) == {("score", "queued"): 1, ("score", "running"): 1}
        assert session.get(Job, 1).worker == "w"


def test_tokens(database):
    with database.write() as session:
        accounts.add_user(session, "maria", "submitter")
        number, secret = accounts.create_token(session, "maria", label="laptop")
        _, expired = accounts.create_token(session, "maria", days=-1.0)
    with database.read() as session:
        account = accounts.authenticate(session, secret)
        assert (account.name, account.role) == ("maria", "submitter")
        assert account.may("reader")
        assert not account.may("maintainer")
        assert accounts.authenticate(session, expired) is None
        assert accounts.authenticate(session, secret + "x") is None
        assert [one.label for one in accounts.list_tokens(session)] == ["laptop", ""]
        # Hashed at rest: nobody who reads the database has the token.
        assert all(secret not in str(vars(token)) for token in session.query(Token))
    with database.write() as session:
        accounts.add_user(session, "maria", "maintainer")
        accounts.revoke_token(session, number)
    with database.read() as session:
        assert accounts.authenticate(session, secret) is None


@pytest.mark.parametrize("name", ["", "a b", "<b>", "a\x00", "x" * 101, "../x"])
def test_bad_account_names(database, name):
    with pytest.raises(AccountError, match="cannot be used"), database.write() as session:
        accounts.add_user(session, name, "reader")


def test_unknown_accounts_and_tokens(database):
    with pytest.raises(AccountError, match="no account"), database.write() as session:
        accounts.create_token(session, "nobody")
    with pytest.raises(AccountError, match="no token 7"), database.write() as session:
        accounts.revoke_token(session, 7)
    with pytest.raises(AccountError, match="none of reader"), database.write() as session:
        accounts.add_user(session, "maria", "king")
