"""Events decoded and denoised per second against tonic, images per second of CelebA's conversion, batches per second.

    python -m benchmarks.data [--recordings 60] [--images 3000] [--json | --markdown]

Recordings are simulated from scikit-learn's digits (about as long as N-MNIST's), images are fabricated JPEGs of
CelebA's size; nothing has to be there. tonic runs in the same process, in turn, and has to give the same results;
without it, only our own speed is printed.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import as_json, describe, machine, table, time_in_turn
from sgad.data.description import DatasetConfig, load_description
from sgad.data.events.format import decode_events, encode_events
from sgad.data.events.frames import bin_events, denoise, frames_of
from sgad.data.events.simulator import simulate_recording
from sgad.data.loader import Batches
from sgad.data.prepare import prepare
from sgad.data.prepared import load_prepared
from sgad.data.sources.digits import read_digits
from sgad.errors import InputError
from sgad.machine.facts import peak_memory_mb

_DTYPE = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
_REPEATS = 5


class _Quiet:
    def __init__(self, total: int, **_: Any) -> None: ...
    def __enter__(self) -> "_Quiet":
        return self

    def __exit__(self, *problem: object) -> None: ...
    def update(self, count: int = 1) -> None: ...


def recordings(count: int) -> list[bytes]:
    """Event files of simulated digits."""
    digits = next(read_digits(load_description("digits")).splits["train"].blocks())
    return [encode_events(simulate_recording(image[0], seed)) for seed, image in enumerate(digits[:count])]


def tonic_stages(files: list[bytes]) -> dict[str, Callable[[], Any]]:
    """Tonic's reader, filter and whole chain, or nothing where it is not installed."""
    try:
        import tonic.io
        import tonic.transforms as transforms
    except ImportError:
        return {}
    read = [tonic.io.read_mnist_file(io.BytesIO(file), _DTYPE, is_stream=True) for file in files]
    clean = transforms.Denoise(filter_time=10_000)
    chain = transforms.Compose([clean, transforms.ToFrame(sensor_size=(34, 34, 2), n_time_bins=4)])
    return {
        "decode": lambda: [tonic.io.read_mnist_file(io.BytesIO(file), _DTYPE, is_stream=True) for file in files],
        "denoise": lambda: [clean(events) for events in read],
        "decode, denoise, bin": lambda: [
            chain(tonic.io.read_mnist_file(io.BytesIO(file), _DTYPE, is_stream=True)) for file in files
        ],
    }


def our_stages(files: list[bytes]) -> dict[str, Callable[[], Any]]:
    """The same stages, of this package."""
    read = [decode_events(file, "benchmark") for file in files]
    return {
        "decode": lambda: [decode_events(file, "benchmark") for file in files],
        "denoise": lambda: [denoise(events) for events in read],
        "decode, denoise, bin": lambda: [bin_events(denoise(decode_events(file, "benchmark")), 4) for file in files],
    }


def measure_events(count: int) -> list[dict[str, Any]]:
    """Events per second of each stage, ours and tonic's; equal results are required first."""
    files = recordings(count)
    ours, theirs = our_stages(files), tonic_stages(files)
    number = sum(len(file) // 5 for file in files)
    rows = []
    for stage, run in ours.items():
        other = {"tonic": theirs[stage]} if stage in theirs else {}
        if other:
            _require_equal(stage, run(), theirs[stage]())
        timings = time_in_turn({"sgad": run, **other}, _REPEATS)
        rate = {name: number / timing.median for name, timing in timings.items()}
        ratio = rate["sgad"] / rate["tonic"] if other else None
        rows.append({"what": f"events: {stage}", "unit": "events/s", **rate, "ratio": ratio})
    whole = {"sgad": lambda: [frames_of(decode_events(file, ""), 4, 10_000, 28) for file in files]}
    speed = len(files) / time_in_turn(whole, _REPEATS)["sgad"].median
    return [*rows, {"what": "recordings to 28x28 frames", "unit": "recordings/s", "sgad": speed}]


def _require_equal(stage: str, ours: list[Any], theirs: list[Any]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        same = np.array_equal(mine, other) if stage.endswith("bin") else np.array_equal(mine.t, other["t"])
        if not same:
            raise InputError(f"benchmark: {stage} differs from tonic's result; nothing is timed")


def fabricate_celeba(folder: Path, count: int) -> DatasetConfig:
    """Write JPEGs of CelebA's names and size and the list of the splits; return the description that fits them."""
    (folder / "celeba" / "img_align_celeba").mkdir(parents=True)
    generator = np.random.default_rng(0)
    distinct = []
    for _ in range(20):
        rough = generator.integers(0, 256, (28, 23, 3)).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(rough).resize((178, 218), Image.Resampling.BICUBIC).save(stream, format="JPEG", quality=90)
        distinct.append(stream.getvalue())
    parts = [0] * (count - 2) + [1, 2]
    for number in range(count):
        (folder / "celeba" / "img_align_celeba" / f"{number + 1:06d}.jpg").write_bytes(distinct[number % 20])
    lines = "".join(f"{number + 1:06d}.jpg {part}\n" for number, part in enumerate(parts))
    (folder / "celeba" / "list_eval_partition.txt").write_text(lines)
    counts = {"train": count - 2, "valid": 1, "test": 1}
    return load_description("celeba").model_copy(update={"files": {}, "counts": counts})


def measure_conversion(count: int) -> list[dict[str, Any]]:
    """Images per second from JPEG files to the prepared form, and batches per second from there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        description = fabricate_celeba(folder, count)
        begin = time.perf_counter()
        prepare(description, [folder], folder / "out", progress=_Quiet)
        rate = count / (time.perf_counter() - begin)
        batches = Batches(load_prepared(folder / "out"), 64, seed=0)
        begin = time.perf_counter()
        for step in range(200):
            batches.at(step)
        speed = 200 * 64 / (time.perf_counter() - begin)
    return [
        {
            "what": f"CelebA conversion ({count} JPEGs, peak of the process {peak_memory_mb():.0f} MB)",
            "unit": "images/s",
            "sgad": rate,
        },
        {"what": "batches of 64, 64x64 colour, flipped", "unit": "images/s", "sgad": speed},
    ]


def as_table(rows: list[dict[str, Any]]) -> str:
    """Rows as Markdown."""
    cells = [
        [row["what"], row["unit"], f"{row['sgad']:,.0f}", *(_cell(row, key) for key in ("tonic", "ratio"))]
        for row in rows
    ]
    return table(["what", "unit", "sgad", "tonic", "ratio"], cells)


def _cell(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    return "–" if value is None else f"{value:,.1f}" if key == "ratio" else f"{value:,.0f}"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description="Speed of the data stage")
    options.add_argument("--recordings", type=int, default=60)
    options.add_argument("--images", type=int, default=3000)
    options.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options.add_argument("--markdown", action="store_true", help="without the line about the machine")
    chosen = options.parse_args()
    rows = measure_conversion(chosen.images) + measure_events(chosen.recordings)
    if chosen.json:
        print(as_json({"benchmark": "data", "machine": machine(), "rows": rows}))
        return
    if not chosen.markdown:
        print(describe(machine()) + "\n")
    print(as_table(rows))


if __name__ == "__main__":
    main()
