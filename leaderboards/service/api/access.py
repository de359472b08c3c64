"""Who sends a request, and whether that account may."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ..service import Service
from ..settings import Role
from ..storage.accounts import Account, authenticate
from .rate import RateLimit

_BEARER = HTTPBearer(
    auto_error=False, description="A token, from `hepgym board token create NAME`."
)
_ASK = {"WWW-Authenticate": "Bearer"}


def service_of(request: Request) -> Service:
    """Return the service that answers a request."""
    service: Service = request.app.state.service
    return service


def _rate_of(request: Request) -> RateLimit:
    rate: RateLimit = request.app.state.rate
    return rate


def account_of(request: Request, token: str | None) -> Account:
    """Find the account of a token, or what somebody without one may be, and count the request.

    Raises
    ------
    HTTPException
        401 if the token is not valid, or one is needed; 429 if there were too many requests.
    """
    service = service_of(request)
    account = None
    if token:
        with service.database.read() as session:
            account = authenticate(session, token)
    address = request.client.host if request.client else ""
    # Who sends tokens that are not valid, or none, is an address: tokens cost nothing to invent.
    wait_s = _rate_of(request).ask(f"account {account.id}" if account else f"address {address}")
    if wait_s:
        who = account.name if account else "this address"
        raise HTTPException(
            429,
            f"{who} asks more than {service.settings.requests_per_minute} times a minute: try "
            f"again in {wait_s} s",
            {"Retry-After": str(wait_s)},
        )
    if token and account is None:
        raise HTTPException(401, "the token is unknown, expired or revoked", _ASK)
    if account is not None:
        return account
    if service.settings.anonymous is None:
        raise HTTPException(401, "a token is needed: send it as Authorization: Bearer", _ASK)
    return Account(None, "anonymous", service.settings.anonymous)


def check_role(account: Account, role: Role) -> None:
    """Refuse an account that may not do what a role may.

    Raises
    ------
    HTTPException
        401 for somebody without a token, 403 for an account.
    """
    if account.may(role):
        return
    if account.id is None:
        raise HTTPException(401, f"a token of a {role} is needed", _ASK)
    raise HTTPException(403, f"{account.name} is a {account.role}: a {role} is needed")


def page_account(request: Request) -> Account:
    """Find out who looks at a page: browsers send a token as the password of any name.

    Raises
    ------
    HTTPException
        401 if a token is needed, or the one sent is not valid; 429 after too many requests.
    """
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    token = None
    if kind.lower() == "basic":
        try:
            token = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            token = "?"
    elif kind.lower() == "bearer":
        token = value
    try:
        account = account_of(request, token)
    except HTTPException as error:
        if error.status_code != 401:
            raise
        headers = {"WWW-Authenticate": 'Basic realm="hepgym, token as password", charset="UTF-8"'}
        raise HTTPException(401, error.detail, headers) from None
    request.state.user = account.name
    return account


def _account(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Account:
    account = account_of(request, credentials.credentials if credentials else None)
    request.state.user = account.name
    return account


def _with_role(role: Role) -> object:
    def allowed(account: Annotated[Account, Depends(_account)]) -> Account:
        check_role(account, role)
        return account

    return Depends(allowed)


Reader = Annotated[Account, _with_role("reader")]
Submitter = Annotated[Account, _with_role("submitter")]
Maintainer = Annotated[Account, _with_role("maintainer")]
Parts = Annotated[Service, Depends(service_of)]
