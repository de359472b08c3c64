"""Archives on their way in: streamed to disk, then handed in."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool

from ...untrusted import SubmissionError
from ..service import Service
from ..storage import handing_in
from ..storage.accounts import Account
from ..storage.handing_in import HandedIn, TooManyPendingError

_LOOK_EVERY_S = 0.2


async def receive(
    service: Service, account: Account, chunks: AsyncIterator[bytes]
) -> tuple[HandedIn, bool]:
    """Stream an archive to disk and hand it in.

    Parameters
    ----------
    service, account
        Where it goes and who sends it.
    chunks
        The archive, piece by piece.

    Returns
    -------
    handed, new
        As `handing_in.hand_in`.

    Raises
    ------
    HTTPException
        422 if the archive is refused, 413 if it is too large, 429 if too many are waiting.
    """
    settings = service.settings
    settings.incoming.mkdir(parents=True, exist_ok=True)
    archive = settings.incoming / f"{uuid.uuid4().hex}.archive"
    try:
        written = 0
        with archive.open("xb") as file:
            async for chunk in chunks:
                written += len(chunk)
                if written > settings.upload_bytes:
                    raise HTTPException(
                        413, f"the archive is larger than the {settings.upload_bytes} bytes allowed"
                    )
                file.write(chunk)
        return await run_in_threadpool(
            handing_in.hand_in, service.database, settings, archive, account
        )
    except SubmissionError as error:
        raise HTTPException(422, str(error)) from None
    except TooManyPendingError as error:
        raise HTTPException(429, str(error)) from None
    finally:
        archive.unlink(missing_ok=True)


async def wait_for(service: Service, handed: HandedIn, seconds: float) -> HandedIn:
    """Wait until a submission is scored or refused, or the time is over."""

    def look() -> HandedIn:
        with service.database.read() as session:
            return handing_in.find_handed(session, handed.id) or handed

    end = time.monotonic() + seconds
    while handed.state == "queued" and time.monotonic() < end:
        await asyncio.sleep(_LOOK_EVERY_S)
        handed = await run_in_threadpool(look)
    return handed
