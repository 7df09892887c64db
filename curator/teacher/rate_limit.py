"""Flow control: how many calls are under way at an endpoint at once, and when the next may go.

In: what became of each try. Out: leave to send. The number grows while the endpoint keeps up,
doubling a round trip at first, and shrinks by 0.7 when it pushes back, as TCP does; `Retry-After`
holds all calls back; requests and tokens a minute are limited before the endpoint has to.
"""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

START = 8
"""Calls at once at the beginning. Time-outs and lost connections do not bring it lower: where every
fifth call breaks, it would be one at a time. Rate limits do."""
CUT = 0.7
BURST_S = 6
"""Seconds' worth of a limit a minute that may go at once."""
LONGEST_HOLD_S = 900.0
"""An endpoint that wants us to wait longer is one to come back to."""

_Waiting = tuple[int, asyncio.Future[float]]
"""Tokens of a call, and what tells it when it was let in."""


class RateLimiter:
    """Leave to send, given in the order of asking."""

    def __init__(
        self,
        most: int,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> None:
        self.under_way = 0
        self.window = float(min(START, most))
        """Calls at once, at present."""
        self._most = most
        self._starting = True
        self._cut_at = -math.inf
        self._full_at = -math.inf
        self._until = -math.inf
        self._again: deque[_Waiting] = deque()
        self._line: deque[_Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._requests = Allowance(requests_per_minute)
        self._tokens = Allowance(tokens_per_minute)

    @property
    def held(self) -> bool:
        """Whether the endpoint wants to be left alone now."""
        return time.monotonic() < self._until

    async def enter(self, tokens: int, *, again: bool = False) -> float:
        """Waits until a call of so many tokens may go; returns the time, for `leave`.

        A call that is tried `again` goes before all those that were not tried yet.
        """
        mine: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        (self._again if again else self._line).append((tokens, mine))
        self._let_in()
        try:
            return await mine
        except asyncio.CancelledError:
            if not mine.cancelled():  # it was let in, and will not go
                self.leave(mine.result(), answered=False)
                self.settle(tokens, 0)
            raise

    def _let_in(self) -> None:
        """Lets in whose turn it is, and looks again when time alone would let in the next."""
        while line := self._again or self._line:
            tokens, first = line[0]
            if not first.done():
                if self.under_way >= int(self.window):
                    return  # who leaves looks again
                now = time.monotonic()
                allowed = max(self._requests.wait_s(1, now), self._tokens.wait_s(tokens, now))
                if (wait := max(self._until - now, allowed)) > 0:
                    self._look_again(wait)
                    return
                self.under_way += 1
                if self.under_way >= int(self.window):
                    self._full_at = now
                self._requests.take(1)
                self._tokens.take(tokens)
                first.set_result(now)
            line.popleft()

    def _look_again(self, seconds: float) -> None:
        def look() -> None:
            self._timer = None
            self._let_in()

        if not self._timer:
            self._timer = asyncio.get_running_loop().call_later(seconds, look)

    def leave(self, entered: float, *, answered: bool, busy: bool = False) -> None:
        """A try that was let in then is over; `busy` if the endpoint pushed back."""
        self.under_way -= 1
        if answered and self._full_at >= entered:
            self.window = min(self._most, self.window + (1 if self._starting else 1 / self.window))
        elif busy and entered > self._cut_at:
            # Once a round trip: later pushes back at calls sent before this one tell nothing new.
            self.window = max(1.0, self.window * CUT)
            self._cut_at = time.monotonic()
            self._starting = False
        self._let_in()

    def shaken(self, entered: float) -> None:
        """A try was lost, to a time-out or a broken connection: fewer at once, down to `START`."""
        before = self.window
        self.leave(entered, answered=False, busy=True)
        self.window = max(self.window, min(before, START))
        self._let_in()

    def settle(self, reserved: int, used: int) -> None:
        """Gives back tokens that were let in and not used, or takes more."""
        self._tokens.take(used - reserved)
        if self._timer:  # the first in line waits for time or for tokens
            self._let_in()

    def hold(self, seconds: float) -> None:
        """Nothing is sent for so long, and a little longer: processes must not go on as one."""
        until = time.monotonic() + seconds * random.uniform(1.0, 1.05) + random.uniform(0, 0.05)
        self._until = max(self._until, until)


class Allowance:
    """What may be used a minute; without a limit, anything."""

    def __init__(self, per_minute: int | None) -> None:
        self._rate = per_minute / 60 if per_minute else 0.0
        self._most = max(1.0, self._rate * BURST_S)
        self._left = self._most
        self._at = time.monotonic()

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until so much is there; more than a burst may go once a burst is there."""
        if not self._rate:
            return 0.0
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        # A hair less than asked for: rounding must not make it wait for ever shorter times.
        return max(0.0, (min(amount, self._most) - self._left - 1e-6) / self._rate)

    def take(self, amount: float) -> None:
        """Uses so much; it may go below nothing, and less than 0 gives back."""
        self._left = min(self._most, self._left - amount)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a reply asks us to wait: `retry-after-ms`, or `retry-after` in seconds or as a
    date; None if it says nothing sound."""
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
    """Seconds to wait after so many tries of a call that failed: half a second, doubled each time,
    a minute at most, spread so that calls that failed together do not come back together."""
    return float(min(60.0, 0.25 * 2 ** min(tries, 10)) * random.uniform(0.5, 1.5))
