"""How much of something may happen in a while: refusals noted, calls of a client, attempts to log in, logins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from threading import Lock
from time import monotonic
from typing import NamedTuple

Clock = Callable[[], float]


class Allowance(NamedTuple):
    """What is left of a minute's calls: `wait_s` is 0 where this one is within them."""

    limit: int
    remaining: int
    reset_s: int
    wait_s: int


class MinuteBudget:
    """At most `limit` uses in each minute that begins with a use."""

    def __init__(self, limit: int, *, clock: Clock = monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = Lock()
        self._began = float("-inf")
        self._used = 0
        self._passed_over = 0

    def take(self) -> bool:
        """Whether one more use is within the budget; it is counted if so."""
        return self.use().wait_s == 0

    def use(self) -> Allowance:
        """Count one more use if it is within the budget, and say what is left of it."""
        now = self._clock()
        with self._lock:
            if now - self._began >= 60:
                self._began, self._used = now, 0
            reset_s = max(1, ceil(self._began + 60 - now))
            if self._used >= self._limit:
                self._passed_over += 1
                return Allowance(self._limit, 0, reset_s, reset_s)
            self._used += 1
            return Allowance(self._limit, self._limit - self._used, reset_s, 0)

    def pass_over(self, count: int) -> None:
        """Count uses that were within the budget and came to nothing."""
        with self._lock:
            self._passed_over += count

    @property
    def has_passed_over(self) -> bool:
        """Whether there are uses that `passed_over` has not told of."""
        return self._passed_over > 0

    def passed_over(self) -> int:
        """How many uses were not within the budget since this was last asked."""
        with self._lock:
            count, self._passed_over = self._passed_over, 0
        return count


class SharedMinute(MinuteBudget):
    """A budget that several processes keep: what is used here is told, and what all used taken over."""

    def __init__(self, limit: int, *, clock: Clock = monotonic) -> None:
        super().__init__(limit, clock=clock)
        self._untold = 0

    def use(self) -> Allowance:
        """As of any budget; one that was let in is still to be told."""
        allowance = super().use()
        if allowance.wait_s == 0:
            self.keep(1)
        return allowance

    def untold(self) -> int:
        """How many uses are to be told; they count as told from now on."""
        with self._lock:
            count, self._untold = self._untold, 0
        return count

    def keep(self, count: int) -> None:
        """So many uses are still to be told."""
        with self._lock:
            self._untold += count

    def take_over(self, *, ago_s: float, used: int) -> None:
        """All together used so much in the minute that began so long ago; what was used here since comes on top."""
        with self._lock:
            self._began, self._used = self._clock() - ago_s, used + self._untold


Who = tuple[str, str]


class ClientBudgets:
    """A minute's budget for each client that was let in, by tenant and name, made at its first call."""

    def __init__(self, limit: int, *, clock: Clock = monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._budgets: dict[Who, SharedMinute] = {}

    def use(self, tenant: str, name: str) -> Allowance:
        """One more call of this client."""
        return self._of((tenant, name)).use()

    def untold(self) -> dict[Who, int]:
        """Calls let in since this was last asked, of each client that made any."""
        found = {who: budget.untold() for who, budget in list(self._budgets.items())}
        return {who: count for who, count in found.items() if count}

    def keep(self, untold: Mapping[Who, int]) -> None:
        """These could not be told."""
        for who, count in untold.items():
            self._of(who).keep(count)

    def take_over(self, who: Who, *, ago_s: float, used: int) -> None:
        """All processes let in so many calls of this client in its minute, which began so long ago."""
        self._of(who).take_over(ago_s=ago_s, used=used)

    def _of(self, who: Who) -> SharedMinute:
        return self._budgets.get(who) or self._budgets.setdefault(who, SharedMinute(self._limit, clock=self._clock))


# Chosen by us: five attempts are free, then the wait doubles from a second to a minute. Longer would let anyone keep
# a clinician out; at one guess a minute a password of 15 characters is not guessed.
_FREE_ATTEMPTS = 5
_WAIT_MAX_S = 60
_NAMES_MAX = 10_000


class LoginBackoff:
    """How long a name must wait after failed attempts, in this process."""

    def __init__(self, *, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[int, float]] = {}

    def wait_s(self, name: str) -> int:
        """Seconds until the next attempt, 0 when it may be made now."""
        count, last = self._failures.get(name, (0, 0.0))
        if count < _FREE_ATTEMPTS:
            return 0
        wait = min(_WAIT_MAX_S, 1 << min(count - _FREE_ATTEMPTS, 10))
        return max(0, ceil(last + wait - self._clock()))

    def note(self, name: str, *, succeeded: bool) -> None:
        """Remember an attempt; one that succeeds forgives those before it."""
        count, _ = self._failures.pop(name, (0, 0.0))
        if succeeded:
            return
        self._failures[name] = (count + 1, self._clock())
        if len(self._failures) > _NAMES_MAX:
            self._failures.pop(next(iter(self._failures)))


# NIST SP 800-63B-3, 4.2.3: someone is who they were for 12 hours, and for 30 minutes in which they did nothing.
_LOGIN_S, _IDLE_S = 12 * 3600.0, 30 * 60.0


class KnownLogins:
    """Which credentials are in use, in this process: their calls belong to a login that is in the audit log already."""

    def __init__(self, *, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._uses: dict[str, tuple[float, float]] = {}

    def is_known(self, credential: str) -> bool:
        """Whether this use goes on from one that was noted."""
        now, (began, last) = self._clock(), self._uses.get(credential, (float("-inf"), float("-inf")))
        if now - began >= _LOGIN_S or now - last >= _IDLE_S:
            return False
        self._uses[credential] = began, now
        return True

    def note(self, credential: str) -> None:
        """Begin a login: its row is in the audit log."""
        now = self._clock()
        self._uses[credential] = now, now
