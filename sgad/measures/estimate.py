"""What a metric's function returns."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A value, its interval if it has one, what was done, and the numbers next to it. NumPy-free for JSON."""

    value: float
    low: float | None = None
    high: float | None = None
    method: str = ""
    details: dict[str, Any] = field(default_factory=dict)
