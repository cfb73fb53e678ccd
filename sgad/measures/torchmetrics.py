"""The measures as a `torchmetrics.Metric`, for trainers that gather and reset metrics themselves.

Needs the optional package: `pip install 'sgad[torchmetrics]'`.

>>> import torch
>>> from sgad.measures.torchmetrics import ImageMeasures
>>> metric, random = ImageMeasures(["kid"]), torch.Generator().manual_seed(0)
>>> for real in (True, False):
...     metric.update(torch.randint(0, 256, (20, 1, 8, 8), generator=random).to(torch.uint8), real=real)
>>> list(metric.compute())
['kid_pixels']
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from sgad.data.values import ValueRange
from sgad.measures.api import WITHOUT_WEIGHTS, features_of_batch, prepared, values_of
from sgad.measures.extractors.features import Features, as_numpy


class ImageMeasures(Metric):
    """KID, precision, recall, a Frechet distance ... of one feature network; features are the state, gathered over processes.

    Arguments as for `sgad.measures.StreamedMeasures`; further ones go to `torchmetrics.Metric`. `update(images, real=...)`
    takes uint8 (B, C, H, W), or floats of `value_range`; `compute()` gives a tensor for each metric's key.
    """

    is_differentiable = False
    full_state_update = False

    def __init__(
        self,
        measures: Sequence[str] = WITHOUT_WEIGHTS,
        *,
        extractor: str = "pixels",
        value_range: ValueRange | None = None,
        device: str = "cpu",
        protocol: str = "clean",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self._value_range = value_range
        self._wanted, self._extractors = prepared(measures, extractor, protocol, device)
        for index in range(len(self._extractors)):
            for name in ("real", "fake", "logits"):
                self.add_state(f"{name}{index}", [], dist_reduce_fx="cat")

    def update(self, images: Any, real: bool) -> None:
        """Add a batch of reference (`real`) or generated images."""
        for index, found in enumerate(features_of_batch(self._extractors, images, self._value_range)):
            getattr(self, f"{'real' if real else 'fake'}{index}").append(torch.from_numpy(found.values))
            if found.logits is not None and not real:
                getattr(self, f"logits{index}").append(torch.from_numpy(found.logits))

    def compute(self) -> dict[str, Tensor]:
        """Compute a float64 scalar for each metric."""
        sides: dict[str, list[Features]] = {"fake": [], "real": []}
        for index in range(len(self._extractors)):
            for side, kept in sides.items():
                kept.append(
                    Features(as_numpy(dim_zero_cat(getattr(self, f"{side}{index}"))), self._logits(side, index))
                )
        values = values_of(self._wanted, sides["fake"], sides["real"])
        return {key: torch.tensor(value, dtype=torch.float64) for key, value in values.items()}

    def _logits(self, side: str, index: int) -> Any:
        kept = getattr(self, f"logits{index}")
        return as_numpy(dim_zero_cat(kept)) if side == "fake" and len(kept) else None
