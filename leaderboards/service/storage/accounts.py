"""Accounts and their tokens. A token is shown once; the database keeps its hash."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from typing import cast, get_args

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from ..settings import ROLES, Role
from .tables import Token, User

PREFIX = "hepgym_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")


class AccountError(ValueError):
    """An account or token cannot be made or found; the message is one sentence."""


@dataclass(frozen=True)
class Account:
    """Who sends a request.

    Attributes
    ----------
    id
        None for somebody without a token.
    name
        Name of the account.
    role
        What it may do.
    """

    id: int | None
    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether it may do what that role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True)
class TokenInfo:
    """What may be shown of a token."""

    id: int
    user: str
    role: str
    label: str
    created: float
    expires: float | None
    revoked: bool


def add_user(session: Session, name: str, role: Role) -> None:
    """Make an account, or give an existing one another role.

    Raises
    ------
    AccountError
        If the name or the role cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise AccountError(
            f"account name {name[:100]!r} cannot be used: letters, digits and . _ @ - are allowed"
        )
    if role not in get_args(Role):
        raise AccountError(f"role {role!r} is none of {', '.join(ROLES)}")
    user = session.scalars(select(User).where(User.name == name)).first()
    if user is None:
        session.add(User(name=name, role=role, created=time.time()))
        session.flush()
    else:
        user.role = role


def create_token(
    session: Session, name: str, *, label: str = "", days: float | None = None
) -> tuple[int, str]:
    """Make a token for an account.

    Parameters
    ----------
    session
        A writing session.
    name
        Name of the account.
    label
        What it is for.
    days
        Days until it expires; never if not given.

    Returns
    -------
    id : int
        Number of the token, for revoking it.
    token : str
        The token itself; it cannot be shown again.

    Raises
    ------
    AccountError
        If there is no such account.
    """
    user = session.scalars(select(User).where(User.name == name)).first()
    if user is None:
        raise AccountError(f"there is no account {name[:100]!r}")
    now = time.time()
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token(
        user_id=user.id,
        label=label[:100],
        digest=_digest(secret),
        created=now,
        expires=None if days is None else now + 86_400 * days,
        revoked=False,
    )
    session.add(token)
    session.flush()
    return token.id, secret


def revoke_token(session: Session, token_id: int) -> None:
    """Make a token useless.

    Raises
    ------
    AccountError
        If there is no such token.
    """
    token = session.get(Token, token_id) if 0 <= token_id < 2**31 else None
    if token is None:
        raise AccountError(f"there is no token {token_id}")
    token.revoked = True


def list_tokens(session: Session) -> list[TokenInfo]:
    """All tokens, without what would let anybody use them."""
    rows = session.execute(select(Token, User).join(User, Token.user_id == User.id))
    return [
        TokenInfo(
            token.id, user.name, user.role, token.label, token.created, token.expires, token.revoked
        )
        for token, user in rows
    ]


def authenticate(session: Session, secret: str) -> Account | None:
    """Find the account of a token; None if the token is unknown, expired or revoked."""
    # The token has 256 random bits: nobody finds it from a plain hash, and looking the hash up
    # takes no longer for a token that nearly fits.
    row = session.execute(
        select(User)
        .join(Token, Token.user_id == User.id)
        .where(
            Token.digest == _digest(secret),
            Token.revoked.is_(False),
            or_(Token.expires.is_(None), Token.expires > time.time()),
        )
    ).first()
    if row is None:
        return None
    (user,) = row
    return Account(user.id, user.name, cast(Role, user.role))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
