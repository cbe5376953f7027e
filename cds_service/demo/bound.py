"""How long a rehearsal may take on the wall; whatever goes on in it asks what is left."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from cds_service.errors import Unavailable


class Bound:
    """So many seconds from when it is made."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._begun = clock()

    @property
    def spent_s(self) -> float:
        """Seconds since it was made."""
        return self._clock() - self._begun

    def left_s(self) -> float:
        """Seconds that are left; Unavailable when none are."""
        left = self.seconds - self.spent_s
        if left <= 0:
            raise self.is_over()
        return left

    def is_over(self) -> Unavailable:
        """That it is over, and what to do."""
        return Unavailable(
            f"took more than {self.seconds:g} s, so the machine is slow or busy: allow more with --within, "
            "or ask for fewer --visits",
            where="cds demo",
        )
