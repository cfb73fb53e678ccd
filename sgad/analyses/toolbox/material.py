"""What an analysis is given: the run, what it can be compared with, and recorded responses."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sgad.analyses.toolbox.subject import Subject
from sgad.analyses.toolbox.yardsticks import Yardsticks, load_yardsticks

if TYPE_CHECKING:
    from sgad.analyses.alignment.neurons import Neurons


@dataclass(frozen=True)
class Material:
    """A trained run, ready to be looked at; what several analyses share is loaded once."""

    subject: Subject
    device: str = "cpu"
    neurons_file: Path | None = None

    @cached_property
    def yardsticks(self) -> Yardsticks:
        """Distances between sets of images, by each feature network that is at hand."""
        return load_yardsticks(self.subject.data, self.device)

    @cached_property
    def neurons(self) -> "Neurons":
        """Recorded responses, for an analysis that declares `needs_neurons`."""
        from sgad.analyses.alignment.neurons import read_neurons

        assert self.neurons_file is not None, "an analysis without `needs_neurons` asked for responses"
        return read_neurons(self.neurons_file)
