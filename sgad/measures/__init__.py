"""Measures of generated images. The mathematics is NumPy and SciPy alone; only `extractors` needs torch.

`measure` compares two sets, `StreamedMeasures` takes batches; both are in `sgad.measures.api` and load when they are asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgad.measures.api import Measurement, Measurements, StreamedMeasures, measure

__all__ = ["Measurement", "Measurements", "StreamedMeasures", "measure"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from sgad.measures import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
