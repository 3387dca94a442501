"""How many requests are open at once: one more as long as all goes well, half as many where the endpoint says stop."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

LONGEST_WAIT_S = 300.0  # an endpoint that asks for more has no room today


class Pace:
    """Additive increase, multiplicative decrease (Chiu & Jain 1989), and the time before which nothing is sent."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = float(most)
        self._halved = -1.0
        self._not_before = 0.0

    @property
    def allowed(self) -> int:
        """Requests that may be open now."""
        return max(1, int(self._allowed))

    def went_well(self) -> None:
        """A request was answered."""
        self._allowed = min(float(self._most), self._allowed + 1 / self._allowed)

    def was_refused(self, sent: float, wait_s: float) -> None:
        """A request sent at `sent` was one too many; nothing is sent for `wait_s` seconds.

        Refusals of requests that were sent before the last decrease say nothing new.
        """
        now = time.monotonic()
        if sent >= self._halved:
            self._allowed, self._halved = max(1.0, self._allowed / 2), now
        self._not_before = max(self._not_before, now + wait_s)

    @property
    def wait_s(self) -> float:
        """Seconds until something may be sent."""
        return max(0.0, self._not_before - time.monotonic())


def retry_after(value: str | None) -> float | None:
    """Seconds that a `Retry-After` header asks for, given as seconds or as a date; None where it says nothing."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
