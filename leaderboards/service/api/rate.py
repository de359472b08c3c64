"""How often anybody may ask: a limit on requests for each account, and for each address."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

_TIDY_ABOVE = 10_000


class RateLimit:
    """Lets each caller make so many requests a minute, as many of them at once.

    For each caller one time is kept: when all that was asked so far would have been asked at an
    even pace (the generic cell rate algorithm). It runs ahead of the clock by a minute at most.

    Parameters
    ----------
    per_minute
        Requests; 0 for no limit.
    clock
        Seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[str, float] = {}

    def ask(self, caller: str) -> int:
        """Count a request.

        Parameters
        ----------
        caller
            Who makes it.

        Returns
        -------
        int
            0 if it may be answered, else the seconds until the next one may; it is not counted.
        """
        if not self._interval:
            return 0
        with self._lock:
            now = self._clock()
            ahead = max(self._times.get(caller, now), now) + self._interval
            if ahead - now > 60.0 + 1e-6:
                return math.ceil(ahead - now - 60.0)
            self._times[caller] = ahead
            if len(self._times) > _TIDY_ABOVE:
                # Whoever has not asked for a minute starts anew anyway.
                self._times = {name: time for name, time in self._times.items() if time > now}
            return 0
