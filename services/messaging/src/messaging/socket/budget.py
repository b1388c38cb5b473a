"""How much one connection may send: a bucket of tokens that fills up again, and an end to what goes over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Budget:
    """`burst` frames at once, `per_second` in the long run. Whoever goes on regardless is over it by more and more."""

    per_second: float
    burst: float
    filled_at: float
    left: float

    @classmethod
    def full(cls, per_second: float, burst: float, now: float) -> Budget:
        return cls(per_second, burst, now, burst)

    def take(self, now: float) -> bool:
        """Takes one; false when there was none left."""
        self.left = min(self.burst, self.left + (now - self.filled_at) * self.per_second) - 1
        self.filled_at = now
        return self.left >= 0

    @property
    def is_flooded(self) -> bool:
        """Whether as much came beyond the limit as the limit itself allows at once."""
        return self.left < -self.burst
