"""What the API answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ...board import Entry
from ...bootstrap import Estimate
from ...tasks import Task
from ..settings import Role
from ..storage.handing_in import HandedIn
from ..trust import Checks, Trust
from ..views import Row

State = Literal["queued", "scored", "refused", "failed"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Problem(_Answer):
    """Why a request was refused."""

    detail: Annotated[str, Field(description="One sentence.")]


class TaskSummary(_Answer):
    """A task and the state of its board."""

    task: Task
    entries: int
    best: EntrySummary | None


class EntrySummary(_Answer):
    """A line of a board."""

    id: str
    task: str
    place: int
    label: str
    agent: str
    authors: tuple[str, ...]
    submitter: str | None
    in_game: bool
    trust: Trust
    awaiting_rerun: Annotated[
        bool,
        Field(
            description="Better than the board by more than the error, but never run by the board."
        ),
    ]
    added: AwareDatetime
    metrics: dict[str, Estimate]
    fresh_gap: Annotated[
        tuple[float, float] | None,
        Field(description="How much worse the last fresh score is than the public one; error."),
    ]


class EntryDetails(_Answer):
    """Everything about an entry."""

    summary: EntrySummary
    entry: Entry
    checks: Checks


class EntryPage(_Answer):
    """A part of a board."""

    total: int
    entries: list[EntrySummary]


class Submission(_Answer):
    """A submission and what has become of it."""

    id: Annotated[str, Field(description="Hash of its files.")]
    task: str
    entry: Annotated[str, Field(description="Id of the entry that it is, once it is scored.")]
    state: State
    reason: Annotated[str, Field(description="Why it was refused or could not be scored.")]
    url: Annotated[str, Field(description="Page of the submission.")]


class Comparison(_Answer):
    """Two entries of a board."""

    one: str
    other: str
    probability: Annotated[float, Field(description="That the first is better than the other.")]
    method: str


class AgentAcrossTasks(_Answer):
    """An agent on the scale where random is 0 and each task's best baseline is 1."""

    agent: str
    tasks: int
    runs: int
    interquartile_mean: Estimate


class RefreshRequest(BaseModel):
    """How to refresh a board."""

    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, Field(ge=100, le=100_000, description="Events of each dataset.")] = 10_000


class Refresh(_Answer):
    """A refresh that was queued."""

    round: str


class NewUser(BaseModel):
    """An account to make or to change."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$")]
    role: Role


class NewToken(BaseModel):
    """A token to make."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$")] = ""
    days: Annotated[float | None, Field(gt=0, le=36_500)] = None


class CreatedToken(_Answer):
    """A new token; this is the only time that it is shown."""

    id: int
    token: str


class TokenSummary(_Answer):
    """A token without its secret."""

    id: int
    user: str
    role: Role
    label: str
    created: float
    expires: float | None
    revoked: bool


class Health(_Answer):
    """Whether the service works."""

    status: Literal["ok"]
    version: str
    database: str
    waiting: Annotated[int, Field(description="Jobs in the queue.")]
    running: Annotated[int, Field(description="Jobs that workers have.")]


TaskSummary.model_rebuild()


def summary(row: Row) -> EntrySummary:
    """Make the line of a board from a row."""
    entry = row.entry
    return EntrySummary(
        id=entry.id,
        task=entry.task,
        place=row.place,
        label=entry.label,
        agent=entry.agent,
        authors=entry.authors,
        submitter=row.checks.submitter,
        in_game=entry.in_game,
        trust=entry.trust,
        awaiting_rerun=row.awaiting,
        added=entry.added,
        metrics=entry.recomputed,
        fresh_gap=row.gap,
    )


def submission(handed: HandedIn) -> Submission:
    """Make the public state of a submission."""
    return Submission.model_validate(
        {
            "id": handed.id,
            "task": handed.task,
            "entry": handed.entry,
            "state": handed.state,
            "reason": handed.reason,
            "url": f"/submissions/{handed.id}",
        }
    )
