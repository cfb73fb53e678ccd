"""Recordings of still images by a simulated event camera, after Orchard et al. 2015.

An image is moved along N-MNIST's three saccades, blurred by a lens, and each pixel reports when its log
intensity has changed by its threshold. The threshold was tuned so that MNIST gives N-MNIST's published number
of events (about 4,170): this agreement is no evidence. There is neither a refractory period nor the flicker of a
monitor, and samples differ less than real ones. Whatever is made here is marked as simulated.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sgad.data.description import SENSOR
from sgad.data.events.format import Events, encode_events
from sgad.data.pixels import Images
from sgad.data.prepared import Prepared
from sgad.errors import InputError
from sgad.machine.compiled import jit
from sgad.machine.files import write_bytes
from sgad.runs.seeds import stream_seed

SIDE = 28
#: Milliseconds of a saccade, and its drift in pixels (x, y): N-MNIST's path as tonic's stabiliser has it.
LEG_MS = 105
LEGS = ((3.5, 7.0), (3.5, -7.0), (-7.0, 0.0))
#: Contrast threshold in log intensity and its relative spread between pixels.
THRESHOLD, MISMATCH = 0.42, 0.04
#: Background light, which bounds the contrast of black pixels.
BACKGROUND = 0.12
#: Blur of the lens in pixels, and the taps that hold it.
BLUR, _TAPS = 0.7, 7
#: Noise events per pixel and second.
NOISE_HZ = 0.3
_DURATION_US = len(LEGS) * LEG_MS * 1000
_START = (-0.5, -0.5)
_jit = jit()


def saccade_path() -> NDArray[np.float64]:
    """The image's corner (x, y) on the sensor at each millisecond, (316, 2): eased, on a triangle."""
    share = np.arange(1, LEG_MS + 1) / LEG_MS
    eased = (3 - 2 * share) * share**2
    points = [np.array([_START])]
    for leg in LEGS:
        points.append(points[-1][-1] + eased[:, None] * np.array(leg))
    return np.concatenate(points)


def _lens(path: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return, per millisecond and axis, the first image pixel that sensor pixel 0 sees, and the weights."""
    first = np.floor(-path).astype(np.int64) - _TAPS // 2 + 1
    distance = first[..., None] + np.arange(_TAPS) + path[..., None]
    weights = np.exp(-0.5 * (distance / BLUR) ** 2)
    return first, weights / weights.sum(-1, keepdims=True)


@_jit
def _blurred(image, box, first, weights, rows, out):  # type: ignore[no-untyped-def]
    """Write the log intensity on the sensor into `out`, (34, 34); `rows` is a buffer (34, 28).

    Only what the image's `box` (top, bottom, left, right; ends included) can reach is computed: the rest is dark.
    """
    out[:] = np.log(BACKGROUND)
    top, bottom = max(0, box[0] - first[1] - _TAPS + 1), min(SENSOR - 1, box[1] - first[1])
    left, right = max(0, box[2] - first[0] - _TAPS + 1), min(SENSOR - 1, box[3] - first[0])
    for y in range(top, bottom + 1):
        above, below = max(box[0], y + first[1]), min(box[1], y + first[1] + _TAPS - 1)
        for column in range(box[2], box[3] + 1):
            value = 0.0
            for row in range(above, below + 1):
                value += weights[1, row - y - first[1]] * image[row, column]
            rows[y, column] = value
        for x in range(left, right + 1):
            value = 0.0
            for column in range(max(box[2], x + first[0]), min(box[3], x + first[0] + _TAPS - 1) + 1):
                value += weights[0, column - x - first[0]] * rows[y, column]
            if value > 0:
                out[y, x] = np.log(value + BACKGROUND)


@_jit
def _record(image, box, first, weights, threshold, start):  # type: ignore[no-untyped-def]
    """X, y, t, p of one moving image's events as rows of an int64 array (4, N), not in order."""
    rows = np.empty((SENSOR, SIDE))
    before, now = np.empty((SENSOR, SENSOR)), np.empty((SENSOR, SENSOR))
    _blurred(image, box, first[0], weights[0], rows, before)
    reference = before + start * threshold
    found, count = np.empty((4, 8192), np.int64), 0
    for step in range(1, len(first)):
        _blurred(image, box, first[step], weights[step], rows, now)
        for y in range(SENSOR):
            for x in range(SENSOR):
                limit = threshold[y, x]
                while abs(now[y, x] - reference[y, x]) >= limit:
                    rises = now[y, x] > reference[y, x]
                    reference[y, x] += limit if rises else -limit
                    # The crossing inside this millisecond, with the intensity taken as linear in time.
                    share = (reference[y, x] - before[y, x]) / (now[y, x] - before[y, x])
                    if count == found.shape[1]:
                        found = np.concatenate((found, np.empty_like(found)), axis=1)
                    found[0, count], found[1, count] = x, y
                    found[2, count] = int((step - 1 + min(max(share, 0.0), 1.0)) * 1000)
                    found[3, count] = 1 if rises else 0
                    count += 1
        before, now = now, before
    return found[:, :count]


_PATH = saccade_path()
_FIRST, _WEIGHTS = _lens(_PATH)


def _box(image: Images) -> NDArray[np.int64]:
    """First and last row and column that hold any light."""
    lit = [np.flatnonzero(image.any(axis=axis)) for axis in (1, 0)]
    return np.array([edge for part in lit for edge in ((part[0], part[-1]) if len(part) else (0, 0))], np.int64)


def simulate_recording(image: Images, seed: int) -> Events:
    """The events of one image, uint8 (28, 28); the same seed gives the same events."""
    generator = np.random.default_rng(seed)
    pixels = (SENSOR, SENSOR)
    threshold = THRESHOLD * np.maximum(1 + MISMATCH * generator.standard_normal(pixels), 0.5)
    start = generator.uniform(-1, 1, pixels)
    signal = _record(image.astype(np.float64) / 255, _box(image), _FIRST, _WEIGHTS, threshold, start)
    number = generator.poisson(NOISE_HZ * SENSOR**2 * _DURATION_US / 1e6)
    noise = generator.integers(0, [[SENSOR], [SENSOR], [_DURATION_US], [2]], (4, number))
    found = np.concatenate([signal, noise], axis=1)
    x, y, t, p = found[:, np.argsort(found[2], kind="stable")]
    return Events(x, y, t, p)


def recording_seed(name: str, split: str, index: int) -> int:
    """The seed of one sample of a data set."""
    return stream_seed("simulated recording", name, split, index)


def write_recordings(
    prepared: Prepared, out: Path | str, counts: dict[str, int] | None = None, *, zipped: bool = False
) -> None:
    """Record a prepared grey 28x28 data set into files as N-MNIST's: Train|Test/CLASS/00001.bin.

    Parameters
    ----------
    counts
        Samples of each split; None: all.
    zipped
        Write Train.zip and Test.zip instead of folders.

    Raises
    ------
    InputError
        If the data set is not grey 28x28 or has no labels.
    """
    if prepared.manifest.shape != (1, SIDE, SIDE) or prepared.train.labels is None:
        raise InputError(f"{prepared.folder} is not a labelled grey 28x28 data set; only those can be recorded")
    out = Path(out)
    for split, folder in (("train", "Train"), ("test", "Test")):
        part = prepared.split(split)
        number = len(part) if counts is None else min(counts[split], len(part))
        names = [f"{folder}/{part.labels[index]}/{index + 1:05d}.bin" for index in range(number)]  # type: ignore[index]
        seeds = [recording_seed(prepared.manifest.name, split, index) for index in range(number)]
        if zipped:
            _write_zip(out / f"{folder}.zip", names, part.images, seeds)
            continue
        for name, image, seed in zip(names, part.images, seeds, strict=False):
            write_bytes(out / name, encode_events(simulate_recording(image[0], seed)))


def _write_zip(path: Path, names: list[str], images: NDArray[np.uint8], seeds: Sequence[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, image, seed in zip(names, images, seeds, strict=False):
            archive.writestr(name, encode_events(simulate_recording(image[0], seed)))
