"""Flow control: how many calls may be in flight at an endpoint, and when the next one may start.

In: the outcome of each attempt. Out: permission to send. The limit on concurrent calls grows while
the endpoint keeps up (at first it doubles per round trip) and shrinks to 0.7 of itself on overload,
as in TCP. `Retry-After` holds all calls back. Limits of requests and tokens per minute are applied
here, before the endpoint would enforce them.
"""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

INITIAL_WINDOW = 8
"""Concurrent calls at the beginning. Timeouts and lost connections never shrink the window below
this: where every fifth call breaks, it would shrink to one. Rate limits do."""
SHRINK_FACTOR = 0.7
BURST_S = 6
"""Seconds' worth of a per-minute limit that may be used at once."""
MAX_HOLD_S = 900.0
"""Longest pause to wait for. If an endpoint demands a longer one, the command stops."""

_Waiter = tuple[int, asyncio.Future[float]]
"""Tokens of a call, and the future that is set to the time at which the call may start."""


class RateLimiter:
    """Permission to send, granted in the order of requests."""

    def __init__(
        self,
        max_concurrency: int,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> None:
        self.in_flight = 0
        self.window = float(min(INITIAL_WINDOW, max_concurrency))
        """Current limit on concurrent calls."""
        self._max_window = max_concurrency
        self._slow_start = True
        self._shrunk_at = -math.inf
        self._full_at = -math.inf
        self._held_until = -math.inf
        self._retries: deque[_Waiter] = deque()
        self._queue: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._requests = TokenBucket(requests_per_minute)
        self._tokens = TokenBucket(tokens_per_minute)

    @property
    def on_hold(self) -> bool:
        """Whether the endpoint demanded a pause that is not over."""
        return time.monotonic() < self._held_until

    async def enter(self, tokens: int, *, retry: bool = False) -> float:
        """Wait until a call with this many tokens may start; return the time, for `leave`.

        A `retry` starts before all first attempts.
        """
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        (self._retries if retry else self._queue).append((tokens, turn))
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # admitted, but it will not be sent
                self.leave(turn.result(), answered=False)
                self.settle(tokens, 0)
            raise

    def _admit(self) -> None:
        """Admit the calls that may start now; set a timer if only time holds back the next one."""
        while queue := self._retries or self._queue:
            tokens, turn = queue[0]
            if not turn.done():
                if self.in_flight >= int(self.window):
                    return  # `leave` calls this again
                now = time.monotonic()
                limit_s = max(self._requests.wait_s(1, now), self._tokens.wait_s(tokens, now))
                if (wait_s := max(self._held_until - now, limit_s)) > 0:
                    self._admit_later(wait_s)
                    return
                self.in_flight += 1
                if self.in_flight >= int(self.window):
                    self._full_at = now
                self._requests.take(1)
                self._tokens.take(tokens)
                turn.set_result(now)
            queue.popleft()

    def _admit_later(self, seconds: float) -> None:
        def admit() -> None:
            self._timer = None
            self._admit()

        if not self._timer:
            self._timer = asyncio.get_running_loop().call_later(seconds, admit)

    def leave(self, entered: float, *, answered: bool, overloaded: bool = False) -> None:
        """End an attempt that was admitted at `entered`."""
        self.in_flight -= 1
        if answered and self._full_at >= entered:
            growth = 1 if self._slow_start else 1 / self.window
            self.window = min(self._max_window, self.window + growth)
        elif overloaded and entered > self._shrunk_at:
            # Once per round trip: calls sent before this moment met the same overload.
            self.window = max(1.0, self.window * SHRINK_FACTOR)
            self._shrunk_at = time.monotonic()
            self._slow_start = False
        self._admit()

    def leave_broken(self, entered: float) -> None:
        """End an attempt that met a timeout or a lost connection.

        This shrinks the window, but not below INITIAL_WINDOW.
        """
        before = self.window
        self.leave(entered, answered=False, overloaded=True)
        self.window = max(self.window, min(before, INITIAL_WINDOW))
        self._admit()

    def settle(self, reserved: int, used: int) -> None:
        """Return reserved tokens that were not used, or take those used beyond them."""
        self._tokens.take(used - reserved)
        if self._timer:  # the next call waits for time or for tokens
            self._admit()

    def hold(self, seconds: float) -> None:
        """Send nothing for this time and a random moment more, so that processes do not resume
        together."""
        until = time.monotonic() + seconds * random.uniform(1.0, 1.05) + random.uniform(0, 0.05)
        self._held_until = max(self._held_until, until)


class TokenBucket:
    """A limit per minute, with bursts; None means no limit."""

    def __init__(self, per_minute: int | None) -> None:
        self._rate = per_minute / 60 if per_minute else 0.0
        self._capacity = max(1.0, self._rate * BURST_S)
        self._level = self._capacity
        self._updated = time.monotonic()

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until this amount is available.

        An amount above the capacity is available when the bucket is full.
        """
        if not self._rate:
            return 0.0
        self._level = min(self._capacity, self._level + (now - self._updated) * self._rate)
        self._updated = now
        # Slightly less than requested: rounding must not lead to ever shorter waits.
        return max(0.0, (min(amount, self._capacity) - self._level - 1e-6) / self._rate)

    def take(self, amount: float) -> None:
        """Use this amount, also beyond what is available; a negative amount is returned."""
        self._level = min(self._capacity, self._level - amount)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a reply asks to wait; None if it names no valid time.

    Reads `retry-after-ms`, or `retry-after` in seconds or as a date.
    """
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            seconds = float(headers["retry-after"])
    except KeyError:
        return None
    except ValueError:
        try:
            seconds = parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time()
        except (KeyError, ValueError, OverflowError):
            return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def backoff_s(tries: int) -> float:
    """Return the seconds to wait after this many failed attempts of a call.

    Half a second, doubled each time, up to one minute; randomised, so that calls that failed
    together are not retried together.
    """
    return float(min(60.0, 0.25 * 2 ** min(tries, 10)) * random.uniform(0.5, 1.5))
