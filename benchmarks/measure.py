"""Whole passes, images to FID, IS, KID, precision and recall: ours next to torch-fidelity and pytorch-fid, one process.

`python -m benchmarks.measure [--num 48] [--weights PATH] [--json | --markdown]`. Without weights a random network is made, which
costs the same. CPU seconds with one thread; peak memory is not compared. The classifier's pass is next to them.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from threadpoolctl import threadpool_limits

from benchmarks.common import as_json, describe, machine, table
from benchmarks.random_inception import digits, write_random_inception
from sgad.measures.stage import measure_to_file

SIZE = 32


def write_images(folder: Path, num: int, seed: int) -> Path:
    """Write smooth random grey images as PNG."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    for index in range(num):
        small = Image.fromarray(random.integers(0, 256, (8, 8), np.uint8))
        small.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(folder / f"{index:05d}.png")
    return folder


def ours(folders: tuple[Path, Path], weights: Path, protocol: str, out: Path) -> dict[str, float]:
    measures = ["fid", "is", "kid", "prc"]
    document = measure_to_file(*folders, measures, out, weights=weights, protocol=protocol)
    rows = {row["metric"].split("_")[0]: row for row in document["metrics"]}
    found = {"fd": rows["fd"]["value"] if "fd" in rows else rows["fid"]["value"], "is": rows["is"]["value"]}
    return found | {"precision": rows["precision"]["value"], "recall": rows["recall"]["value"]}


def torch_fidelity(folders: tuple[Path, Path], weights: Path, num: int) -> dict[str, float]:
    from torch_fidelity import calculate_metrics

    found = calculate_metrics(
        input1=str(folders[0]),
        input2=str(folders[1]),
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        kid_subset_size=num,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(weights),
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
        batch_size=32,
    )
    return {
        "fd": found["frechet_inception_distance"],
        "is": found["inception_score_mean"],
        "precision": found["precision"],
        "recall": found["recall"],
    }


def pytorch_fid(folders: tuple[Path, Path], weights: Path) -> dict[str, float]:
    from pytorch_fid import fid_score, inception

    state = torch.load(weights, weights_only=True)
    inception.load_state_dict_from_url = lambda *_, **__: state
    value = fid_score.calculate_fid_given_paths(list(map(str, folders)), 32, "cpu", 2048, num_workers=0)
    return {"fd": float(value)}


def timed(function: Callable[[], dict[str, float]]) -> dict[str, Any]:
    start, wall = time.process_time(), time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = function()
    return {"cpu_seconds": time.process_time() - start, "wall_seconds": time.perf_counter() - wall, **values}


def compare(num: int, weights: Path | None) -> dict[str, dict[str, Any]]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folders = write_images(root / "a", num, 0), write_images(root / "b", num, 1)
        weights = weights or write_random_inception(root / "random.pth", digits(8))
        out = root / "metrics.json"
        return {
            "ours, torch-fidelity's protocol": timed(lambda: ours(folders, weights, "torch-fidelity", out)),
            "torch-fidelity": timed(lambda: torch_fidelity(folders, weights, num)),
            "ours, pytorch-fid's protocol": timed(lambda: ours(folders, weights, "pytorch-fid", out)),
            "pytorch-fid (distance only)": timed(lambda: pytorch_fid(folders, weights)),
            "ours, clean protocol": timed(lambda: ours(folders, weights, "clean", out)),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num", type=int, default=48, help="images a side")
    parser.add_argument("--weights", type=Path, help="Inception weights; by default a random network")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--markdown", action="store_true", help="without the line about the machine")
    arguments = parser.parse_args()
    # One thread: CPU seconds of several are no measure of work.
    with threadpool_limits(1):
        results = compare(arguments.num, arguments.weights)
    if arguments.json:
        print(as_json({"machine": machine(), "num": arguments.num, "passes": results}))
        return
    if not arguments.markdown:
        print(describe(machine()) + "\n")
    header = (f"pass of 2 x {arguments.num} images", "CPU s", "per 1,000", "distance", "IS", "precision", "recall")
    print(table(header, [cells(name, row, arguments.num) for name, row in results.items()]))


def cells(name: str, row: dict[str, Any], num: int) -> list[str]:
    """One line of the table."""
    values = [f"{row[key]:.7g}" if key in row else "–" for key in ("fd", "is", "precision", "recall")]
    return [name, f"{row['cpu_seconds']:.1f}", f"{row['cpu_seconds'] / (2 * num) * 1000:.0f}", *values]


if __name__ == "__main__":
    main()
