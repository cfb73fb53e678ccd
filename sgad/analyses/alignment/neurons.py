"""Recorded neural responses to images: readers for archives and for exports of the Allen SDK, and made-up neurons.

Two forms are read (docs/claims.md shows how to make them):

* an .npz with `stimuli` (n, H, W) or (n, H, W, 3) and `responses` (n, neurons), or `trials` (repeats, n, neurons); optional
  `name` and `synthetic` (1 if no animal was recorded)
* the Allen Brain Observatory's natural scenes, as its SDK hands them out: an .npz with `dff` (neurons, frames),
  `stimulus_table` (sweeps, 3: frame, start, end) and `template` (118, H, W); the table may instead lie beside it as
  stimulus_table.csv. Frame -1 is the grey screen between scenes and is left out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgad.errors import InputError
from sgad.machine.files import DAMAGED_ARRAY, write_npz
from sgad.machine.stand_ins import damaged
from sgad.measures.readers import open_split
from sgad.runs.seeds import stream_seed

Array = NDArray[np.float64]
GREY_SCREEN = -1
#: Fewer stimuli than this say nothing about similarity, and unbiased CKA needs 4.
FEWEST_STIMULI = 8


@dataclass(frozen=True)
class Neurons:
    """Responses to images.

    Attributes
    ----------
    stimuli
        (n, H, W) grey or (n, H, W, 3), in [0, 1].
    trials
        (repeats, n, neurons).
    """

    name: str
    stimuli: NDArray[np.float32]
    trials: Array
    is_synthetic: bool = False

    @property
    def responses(self) -> Array:
        """Mean over repeats (n, neurons)."""
        return np.asarray(self.trials.mean(axis=0))


def read_neurons(path: Path) -> Neurons:
    """Read recorded responses in one of the two forms.

    Raises
    ------
    InputError
        If the file is absent, damaged, or its arrays do not belong together.
    """
    content = _load(path)
    if "dff" in content:
        return _from_allen(path, content)
    if "stimuli" not in content or not ({"responses", "trials"} & set(content)):
        raise InputError(
            f"{path} holds {', '.join(sorted(content)) or 'nothing'}; it needs `stimuli` and `responses` or `trials`,"
            " or an Allen export's `dff`, `stimulus_table` and `template`"
        )
    trials = content["trials"] if "trials" in content else content["responses"][None]
    name = str(content["name"]) if "name" in content else path.stem
    return _checked(path, name, content["stimuli"], trials, bool(content.get("synthetic", 0)))


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path} does not exist; give an .npz of recorded responses")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except DAMAGED_ARRAY as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise damaged(path, f"is not a readable archive ({first}); write it again with numpy.savez") from error


def _from_allen(path: Path, content: dict[str, Any]) -> Neurons:
    """Mean of dF/F while each scene is shown, sorted into repeats."""
    if "template" not in content:
        raise InputError(f"{path} has no `template`; add get_stimulus_template('natural_scenes')")
    table = _stimulus_table(path, content)
    dff, scenes = np.asarray(content["dff"], np.float64), table[:, 0]
    if table[:, 2].max() > dff.shape[1] or (table[:, 1] >= table[:, 2]).any():
        raise InputError(f"{path}: stimulus_table names frames that dff, with {dff.shape[1]}, does not have")
    shown = sorted(set(scenes.tolist()) - {GREY_SCREEN})
    if not shown or shown[-1] >= len(content["template"]):
        raise InputError(f"{path}: stimulus_table names scenes that the template does not hold")
    sweeps = {scene: table[scenes == scene] for scene in shown}
    repeats = min(len(rows) for rows in sweeps.values())
    trials = np.array(
        [
            [dff[:, start:end].mean(axis=1) for _, start, end in (sweeps[scene][repeat] for scene in shown)]
            for repeat in range(repeats)
        ]
    )
    return _checked(path, f"Allen Brain Observatory, {path.stem}", content["template"][shown], trials, False)


def _stimulus_table(path: Path, content: dict[str, Any]) -> NDArray[np.int64]:
    beside = path.with_name("stimulus_table.csv")
    if "stimulus_table" in content:
        table = np.asarray(content["stimulus_table"])
    elif beside.is_file():
        table = _table_of_csv(beside)
    else:
        raise InputError(f"{path} has no `stimulus_table` and there is no {beside.name} beside it; export it, too")
    if table.ndim != 2 or table.shape[1] != 3 or not len(table):
        raise InputError(f"{path}: stimulus_table must have the columns frame, start, end, got shape {table.shape}")
    return table.astype(np.int64)


def _table_of_csv(path: Path) -> NDArray[np.int64]:
    import pandas as pd

    try:
        return np.asarray(pd.read_csv(path)[["frame", "start", "end"]], np.int64)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is not a table with frame, start and end ({error}); export it again") from error


def _checked(path: Path, name: str, stimuli: Any, trials: Any, is_synthetic: bool) -> Neurons:
    images = np.asarray(stimuli)
    scaled = images.astype(np.float32) / np.float32(255) if images.dtype == np.uint8 else images.astype(np.float32)
    values = np.asarray(trials, np.float64)
    if scaled.ndim not in (3, 4) or (scaled.ndim == 4 and scaled.shape[3] != 3):
        raise InputError(f"{path}: stimuli must be (n, H, W) or (n, H, W, 3), got {scaled.shape}")
    if values.ndim != 3 or values.shape[1] != len(scaled):
        raise InputError(f"{path}: {len(scaled)} stimuli do not go with responses of shape {values.shape}")
    if len(scaled) < FEWEST_STIMULI:
        raise InputError(f"{path}: {len(scaled)} stimuli are too few; similarities need at least {FEWEST_STIMULI}")
    if not np.isfinite(values).all() or scaled.min() < 0 or scaled.max() > 1:
        raise InputError(f"{path}: responses must be finite and stimuli uint8 or in [0, 1]")
    return Neurons(name, scaled, values, is_synthetic)


def synthetic_neurons(stimuli: NDArray[np.float32], *, neurons: int = 100, repeats: int = 8, seed: int = 0) -> Neurons:
    """Make up neurons that respond to images (n, H, W) like simple and complex cells, with noise.

    Each has a Gabor filter at a place, orientation and wavelength of its own; half of them rectify it (simple), half take
    the energy of a pair in quadrature (complex). Each trial adds Gaussian noise as large as the spread of the neuron's
    responses. They stand in for recordings in tests and examples, and prove nothing about any animal.
    """
    random = np.random.default_rng(stream_seed("synthetic neurons", seed))
    # The same draws for both phases: the pair differs in nothing else.
    filters = stream_seed("synthetic filters", seed)
    even, odd = (
        _gabors(np.random.default_rng(filters), neurons, stimuli.shape[1:], phase) for phase in (0.0, np.pi / 2)
    )
    flat = stimuli.reshape(len(stimuli), -1).astype(np.float64)
    a, b = flat @ even.T, flat @ odd.T
    is_simple = np.arange(neurons) % 2 == 0
    clean = np.where(is_simple, np.maximum(a, 0), np.hypot(a, b))
    spread = clean.std(axis=0)
    clean = clean / np.where(spread > 0, spread, 1)
    trials = clean + random.standard_normal((repeats, *clean.shape))
    return Neurons("synthetic simple and complex cells (no animal recorded)", stimuli, trials, is_synthetic=True)


def synthetic_neurons_of(data: Path, num: int) -> Neurons:
    """Make up neurons that respond to `num` test images of a prepared data set.

    Raises
    ------
    InputError
        If the data set holds event clips, which are no pictures.
    """
    images = open_split(data, "test").random_subset(num)
    if images.is_events:
        raise InputError(f"{data} holds event clips; made-up neurons respond to still images")
    pixels = images.read(np.arange(len(images))).astype(np.float32) / np.float32(255)
    return synthetic_neurons(pixels.mean(axis=1))


def _gabors(random: np.random.Generator, count: int, shape: tuple[int, ...], phase: float) -> Array:
    """Gabor filters (count, H W) without a mean."""
    height, width = shape
    y, x = np.mgrid[0:height, 0:width]
    filters = []
    for _ in range(count):
        row, column = random.uniform(0.25, 0.75, 2) * (height, width)
        angle, wavelength = random.uniform(0, np.pi), random.uniform(0.15, 0.4) * height
        along = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
        envelope = np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * (0.4 * wavelength) ** 2))
        gabor = envelope * np.cos(2 * np.pi * along / wavelength + phase)
        filters.append((gabor - envelope * gabor.sum() / envelope.sum()).ravel())
    return np.array(filters)


def write_neurons(path: Path, neurons: Neurons) -> None:
    """Write responses in the first of the two forms."""
    write_npz(
        path,
        stimuli=neurons.stimuli,
        trials=neurons.trials.astype(np.float32),
        name=np.array(neurons.name),
        synthetic=np.array(int(neurons.is_synthetic)),
    )
