"""The same values once more by torch-fidelity and pytorch-fid, on the same images: two opinions next to ours.

torch-fidelity computes FID, IS, KID and precision/recall of the images; its network is its own for the protocol `torch-fidelity`,
and its own behind this protocol's resize for the other two. pytorch-fid computes the distance: of files, end to end, for the
protocol `pytorch-fid`; of the features that torch-fidelity's pass gave for the other two, because it has one resize only.
Neither shares code with ours but the resize. Values, versions and differences go into the row's details.
"""

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from sgad.errors import RunFailure
from sgad.measures.extractors.building import as_safe_pickle, read_state
from sgad.measures.extractors.inception import LAYERS_AFTER_POOLING, prepare_input
from sgad.measures.images import ImageSet, to_uint8_rgb
from sgad.measures.rows import Row

#: A larger relative difference fails the measurement.
TOLERANCE = 1e-3
#: Precision and recall count images: rounding may move the border of a ball past this many.
IMAGES_OVER_A_BORDER = 2
BATCH = 32
NAME = "sgad-cross-check"
LAYERS = ("2048", "logits_unbiased")


@dataclass(frozen=True)
class Opinion:
    """What another package says of one metric: its name and version, its value, or why it gave none."""

    by: str
    value: float | None
    reason: str = ""


@dataclass
class _Recorded:
    """Features (B, 2048) in the order in which torch-fidelity asked for them: generated, then reference."""

    blocks: list[Tensor] = field(default_factory=list)

    def split(self, num_generated: int, num_reference: int) -> tuple[Any, Any]:
        """The features of the first pass, as float64."""
        features = torch.cat(self.blocks).double().numpy()
        return features[:num_generated], features[num_generated : num_generated + num_reference]


class _Images(Dataset[Tensor]):
    """An image set as torch-fidelity takes it: uint8 (3, H, W)."""

    def __init__(self, images: ImageSet) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(to_uint8_rgb(self._images.read(np.array([index])))[0])


def checked_rows(
    rows: dict[str, Row], generated: ImageSet, reference: ImageSet, suffix: str, weights: Path, device: str, seed: int
) -> dict[str, Row]:
    """Rows of one Inception network, each with what others say of it under `cross_check` in its details.

    Raises
    ------
    RunFailure
        If a value differs by more than 1e-3 of it; both numbers are in the message.
    """
    wanted = {key.split("_")[0].replace("fd", "fid") for key, row in rows.items() if row["value"] is not None}
    if not wanted & {"fid", "is", "kid", "precision", "recall"}:
        return rows
    found = _opinions(wanted, generated, reference, suffix, weights, device, seed)
    checked = {}
    for key, row in rows.items():
        quantity = _quantity(row["metric"])
        opinions = found.get(quantity, []) if row["value"] is not None else []
        checked[key] = _with(row, quantity, opinions, min(len(generated), len(reference))) if opinions else row
    return checked


def _quantity(metric: str) -> str:
    """The first word of a metric's key, where it is one that others compute; FD is FID by other weights."""
    name = metric.split("_")[0].replace("fd", "fid")
    return "" if "infinity" in metric else name


def _with(row: Row, quantity: str, opinions: Sequence[Opinion], count: int) -> Row:
    ours = _ours(row, quantity)
    spread = float(row["details"].get("subsets_deviation", 0.0)) if quantity == "kid" else 0.0
    checks = []
    for opinion in opinions:
        check: dict[str, Any] = {"by": opinion.by, "ours": ours, "theirs": opinion.value}
        if opinion.value is None:
            checks.append(check | {"reason": opinion.reason})
            continue
        # KID may be zero, where a relative difference says nothing: its own spread is then the scale.
        scale = max(abs(ours), abs(opinion.value), spread)
        difference = abs(ours - opinion.value) / scale if scale > 0 else 0.0
        allowed = TOLERANCE
        if quantity in ("precision", "recall") and scale > 0:
            allowed = max(TOLERANCE, IMAGES_OVER_A_BORDER / count / scale)
        if not difference <= allowed:
            raise RunFailure(
                f"cross-check of {row['metric']}: {ours:.8g} here, {opinion.value:.8g} by {opinion.by}, which is"
                f" {difference:.2g} of it apart (allowed: {allowed:.2g}); report it with the images, or measure without"
                " --cross-check"
            )
        checks.append(check | {"relative_difference": difference})
    return row | {"details": row["details"] | {"cross_check": checks}}


def _ours(row: Row, quantity: str) -> float:
    """Our value in the form that others print: KID over the same subsets."""
    return float(row["details"]["subsets_mean"] if quantity == "kid" else row["value"])


def checked_by(row: Row) -> str:
    """Packages and versions that agree with a row's value, joined by commas; empty if none was asked."""
    checks = row.get("details", {}).get("cross_check", [])
    return ", ".join(check["by"] for check in checks if check["theirs"] is not None)


def _opinions(
    wanted: set[str],
    generated: ImageSet,
    reference: ImageSet,
    suffix: str,
    weights: Path,
    device: str,
    seed: int,
) -> dict[str, list[Opinion]]:
    """What the packages say, by quantity."""
    by = f"torch-fidelity {version('torch-fidelity')}"
    state = read_state(weights)
    recorded = _Recorded()
    smaller = min(len(generated), len(reference))
    equal = len(generated) == len(reference)
    wants_shares = bool(wanted & {"precision", "recall"})
    # One pass where the sets are equal: precision and recall want as many images on each side.
    asked = {"isc": "is" in wanted, "fid": "fid" in wanted, "kid": "kid" in wanted, "prc": wants_shares and equal}
    found: dict[str, float] = {}
    with _quiet(), _registered(suffix, recorded):
        if any(asked.values()):
            found = _calculate(generated, reference, state, device, kid_subset_size=min(1000, smaller), **asked)
        if wants_shares and not equal:
            sides = generated.random_subset(smaller, seed), reference.random_subset(smaller, seed)
            found |= _calculate(*sides, state, device, prc=True)
    values = {
        "fid": found.get("frechet_inception_distance"),
        "is": found.get("inception_score_mean"),
        "kid": found.get("kernel_inception_distance_mean"),
        "precision": found.get("precision"),
        "recall": found.get("recall"),
    }
    opinions = {key: [_opinion(by, float(value))] for key, value in values.items() if value is not None}
    if "fid" in wanted:
        features = recorded.split(len(generated), len(reference))
        opinions["fid"].append(_of_pytorch_fid(generated, reference, features, suffix, state, device))
    return opinions


def _opinion(by: str, value: float) -> Opinion:
    """A value, or why it is none: torch-fidelity's score is not a number where a class is impossible (0 log 0)."""
    return Opinion(by, value) if np.isfinite(value) else Opinion(by, None, f"its value is {value}")


def _calculate(
    generated: ImageSet, reference: ImageSet, state: dict[str, Tensor], device: str, **asked: Any
) -> dict[str, float]:
    from torch_fidelity import calculate_metrics

    values: dict[str, float] = calculate_metrics(
        input1=_Images(generated),
        input2=_Images(reference),
        feature_extractor=NAME,
        feature_extractor_weights_path=as_safe_pickle(state),
        cuda=device.startswith("cuda"),
        batch_size=BATCH,
        # Its cache goes by names, not by content.
        cache=False,
        save_cpu_ram=True,
        verbose=False,
        **asked,
    )
    return values


@contextlib.contextmanager
def _registered(suffix: str, recorded: _Recorded) -> Iterator[None]:
    """Make torch-fidelity's network, which keeps what it returns, known to it under NAME."""

    class Extractor(FeatureExtractorInceptionV3):  # type: ignore[misc]
        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            found = super().forward(x) if suffix == "tf1" else self._behind(x)
            recorded.blocks.append(found[self.features_list.index("2048")].cpu())
            return found

        def _behind(self, x: Tensor) -> tuple[Tensor, ...]:
            layers = [layer for name, layer in self.named_children() if name not in LAYERS_AFTER_POOLING]
            features = prepare_input(x.cpu().numpy(), suffix, str(x.device)).contiguous()
            for layer in layers:
                features = layer(features)
            features = features.flatten(1)
            both = {"2048": features, "logits_unbiased": features.mm(self.fc.weight.T)}
            return tuple(both[name] for name in self.features_list)

    with patch.dict(FEATURE_EXTRACTORS_REGISTRY, {NAME: Extractor}):
        yield


def _of_pytorch_fid(
    generated: ImageSet,
    reference: ImageSet,
    features: tuple[Any, Any],
    suffix: str,
    state: dict[str, Tensor],
    device: str,
) -> Opinion:
    from pytorch_fid import fid_score, inception

    by = f"pytorch-fid {version('pytorch-fid')}"
    try:
        with _quiet():
            if suffix != "torch":
                return _opinion(by, _distance(fid_score, features))
            with (
                tempfile.TemporaryDirectory() as name,
                patch.object(inception, "load_state_dict_from_url", lambda *_, **__: state),
            ):
                folders = [
                    _write_pngs(Path(name) / side, images) for side, images in (("a", generated), ("b", reference))
                ]
                value = fid_score.calculate_fid_given_paths(folders, BATCH, device, 2048, num_workers=0)
                return _opinion(by, float(value))
    except (ValueError, TypeError) as error:
        # Its matrix root turns complex on some sets, and SciPy 1.18 has no longer the argument that it gives.
        return Opinion(by, None, str(error))


def _distance(fid_score: Any, features: tuple[Any, Any]) -> float:
    """pytorch-fid's distance; of fewer vectors than dimensions within their span, where the distance is the same.

    Its root of a 2048 x 2048 matrix takes half a minute, whatever the number of vectors.
    """
    both = np.concatenate(features)
    if len(both) < both.shape[1]:
        basis = np.linalg.qr(both.T)[0]
        features = features[0] @ basis, features[1] @ basis
    means = [side.mean(axis=0) for side in features]
    covariances = [np.cov(side, rowvar=False) for side in features]
    return float(fid_score.calculate_frechet_distance(means[0], covariances[0], means[1], covariances[1]))


def _write_pngs(folder: Path, images: ImageSet) -> str:
    folder.mkdir()
    for index in range(len(images)):
        pixels = to_uint8_rgb(images.read(np.array([index])))[0]
        Image.fromarray(np.moveaxis(pixels, 0, 2)).save(folder / f"{index:06d}.png")
    return str(folder)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the packages' progress bars, prints and warnings about themselves off the terminal."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
