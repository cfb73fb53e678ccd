"""Graphics cards: how fast and how large, for what an experiment would cost on one that is not here."""

from dataclasses import dataclass

from sgad.config.cost import SECONDS_GPU
from sgad.errors import require_choice

#: The small GPU of SECONDS_GPU: float32 TFLOP/s and GB/s of its data sheet (T4).
_SMALL = (8.1, 320.0)
#: Share of a card's memory that runs may fill together.
_USABLE = 0.9
MOST_RUNS_A_CARD = 4


@dataclass(frozen=True)
class Card:
    """Float32 TFLOP/s without tensor cores, memory GB/s and GB as the maker states them.

    `seconds`: measured seconds of an update pair for one image, one step and 28x28 pixels; None where nobody has measured.
    """

    title: str
    teraflops: float
    gigabytes_a_second: float
    gigabytes: float
    seconds: float | None = None

    @property
    def seconds_a_unit(self) -> float:
        """Seconds for one image, one time step, 28x28 pixels: measured, else by the slower of arithmetic and memory."""
        if self.seconds is not None:
            return self.seconds
        return SECONDS_GPU / min(self.teraflops / _SMALL[0], self.gigabytes_a_second / _SMALL[1])

    @property
    def source(self) -> str:
        """Where the speed comes from."""
        return "measured" if self.seconds is not None else "from the maker's stated figures, not measured"

    def runs_at_once(self, run_mb: float) -> int:
        """Trainings of `run_mb` device memory each that fit side by side, at most four."""
        return max(1, min(MOST_RUNS_A_CARD, int(self.gigabytes * 1000 * _USABLE // run_mb)))


CARDS = {
    "a100": Card("NVIDIA A100 80 GB", 19.5, 2039, 80),
    "h100": Card("NVIDIA H100 SXM", 66.9, 3350, 80),
    "h200": Card("NVIDIA H200", 66.9, 4800, 141),
    "l40s": Card("NVIDIA L40S", 91.6, 864, 48),
    "rtx3090": Card("NVIDIA RTX 3090", 35.6, 936, 24),
    "rtx4090": Card("NVIDIA RTX 4090", 82.6, 1008, 24),
    "t4": Card("NVIDIA T4", 8.1, 320, 16),
    "v100": Card("NVIDIA V100 32 GB", 15.7, 900, 32),
}


def card_of(name: str) -> Card:
    """The card of this name.

    Raises
    ------
    InputError
        If it is not in the table.
    """
    return CARDS[require_choice("card", name, CARDS)]
