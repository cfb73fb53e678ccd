"""The trace of the root of a covariance product, and the whole distance: ours beside the packages' own functions.

    python -m benchmarks.frechet [--dimension 2048] [--sizes 500,10000] [--json | --markdown]

CPU seconds of one thread and errors, in one process; what takes long is timed once, what is quicker several times.
The reference: nuclear norm of the centred features where n <= d, else singular values of eigenvector factors.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import linalg
from threadpoolctl import threadpool_limits

from benchmarks.common import Timing, as_json, describe, machine, table
from sgad.measures.frechet import frechet_distance, frechet_distance_of_features, root_trace
from sgad.measures.moments import Moments, moments_of

#: A method is repeated until it has had this many CPU seconds, at most five times.
ENOUGH_SECONDS, MOST_REPEATS = 15.0, 5
Timed = tuple[Timing, float]


def features(n: int, d: int, seed: int) -> np.ndarray:
    """Return correlated features (n, d), float32 as networks give them, variances over four decades."""
    random = np.random.default_rng(seed)
    mixing = np.linalg.qr(np.random.default_rng(7).standard_normal((d, d)))[0]
    scales = np.logspace(0, -2, d) * (1 + 0.2 * (seed % 2))
    return ((random.standard_normal((n, d)) * scales) @ mixing + 0.1 * (seed % 2)).astype(np.float32)


def timed(function: Callable[[], Any]) -> Timed:
    """Return the CPU seconds of a method, and the value it gives."""
    seconds: list[float] = []
    value: Any = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while not seconds or (sum(seconds) < ENOUGH_SECONDS and len(seconds) < MOST_REPEATS):
            begin = time.process_time()
            value = function()
            seconds.append(time.process_time() - begin)
    return Timing(statistics.median(seconds), min(seconds), max(seconds), len(seconds)), float(np.real(value))


def by_sqrtm(c1: np.ndarray, c2: np.ndarray) -> Any:
    return np.trace(linalg.sqrtm(c1 @ c2))


def by_eigvals(c1: np.ndarray, c2: np.ndarray) -> Any:
    return np.sum(np.sqrt(np.linalg.eigvals(c1 @ c2).astype("complex128")).real)


def exact_trace(x: np.ndarray, y: np.ndarray, a: Moments, b: Moments) -> float:
    if len(x) <= x.shape[1]:
        centred = [f.astype(np.float64) - f.mean(axis=0, dtype=np.float64) for f in (x, y)]
        return float(linalg.svdvals(centred[0] @ centred[1].T).sum() / (len(x) - 1))
    factors = []
    for moments in (a, b):
        values, vectors = linalg.eigh(moments.covariance)
        factors.append(vectors * np.sqrt(values))
    return float(linalg.svdvals(factors[0].T @ factors[1]).sum())


def torch_fidelity_distance(a: Moments, b: Moments) -> Any:
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    statistics = [{"mu": m.mean, "sigma": m.covariance} for m in (a, b)]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def pytorch_fid_distance(a: Moments, b: Moments) -> Any:
    from pytorch_fid.fid_score import calculate_frechet_distance

    return calculate_frechet_distance(a.mean, a.covariance, b.mean, b.covariance)


def clean_fid_distance(a: Moments, b: Moments) -> Any:
    from cleanfid.fid import frechet_distance as distance

    return distance(a.mean, a.covariance, b.mean, b.covariance)


def compare(n: int, d: int) -> list[dict[str, Any]]:
    """Return one row a method: CPU seconds, relative error, CPU seconds over those of scipy's sqrtm."""
    x, y = features(n, d, 0), features(n, d, 1)
    a, b = moments_of(x), moments_of(y)
    exact = exact_trace(x, y, a, b)
    shift = a.mean - b.mean
    exact_distance = float(shift @ shift + np.trace(a.covariance) + np.trace(b.covariance) - 2 * exact)
    sqrtm_seconds, sqrtm_value = timed(lambda: by_sqrtm(a.covariance, b.covariance))
    rows = [("trace: scipy sqrtm", sqrtm_seconds, sqrtm_value, exact)]
    traces: dict[str, Callable[[], Any]] = {
        "trace: eigvals": lambda: by_eigvals(a.covariance, b.covariance),
        "trace: ours, from covariances": lambda: root_trace(a.covariance, b.covariance),
    }
    distances: dict[str, Callable[[], Any]] = {
        "distance: torch-fidelity": lambda: torch_fidelity_distance(a, b),
        "distance: pytorch-fid": lambda: pytorch_fid_distance(a, b),
        "distance: clean-fid": lambda: clean_fid_distance(a, b),
        "distance: ours, from moments": lambda: frechet_distance(a.mean, a.covariance, b.mean, b.covariance),
        "distance: ours, from features": lambda: frechet_distance_of_features(x, y),
    }
    for methods, truth in ((traces, exact), (distances, exact_distance)):
        for name, function in methods.items():
            try:
                rows.append((name, *timed(function), truth))
            except ModuleNotFoundError as error:
                print(f"{name}: {error.name} is not installed; left out")
    return [
        {
            "n": n,
            "d": d,
            "method": name,
            "cpu_seconds": seconds,
            "relative_error": abs(value / truth - 1),
            "of_sqrtm": seconds.median / sqrtm_seconds.median,
        }
        for name, seconds, value, truth in rows
    ]


HEADER = ("n", "d", "method", "CPU seconds: median (range)", "times sqrtm's", "relative error")


def cells(row: dict[str, Any]) -> list[str]:
    """Return one line of the table."""
    timing = row["cpu_seconds"]
    spread = f"{timing.median:.3f} ({timing.smallest:.3f} to {timing.largest:.3f}, n = {timing.repeats})"
    return [
        str(row["n"]),
        str(row["d"]),
        row["method"],
        spread,
        f"{row['of_sqrtm']:.4f}",
        f"{row['relative_error']:.1e}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimension", type=int, default=2048)
    parser.add_argument("--sizes", default="500,10000", help="numbers of images a side, separated by commas")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--markdown", action="store_true", help="without the line about the machine")
    arguments = parser.parse_args()
    # One thread: CPU seconds of several are no measure of work.
    with threadpool_limits(1):
        results = [row for n in arguments.sizes.split(",") for row in compare(int(n), arguments.dimension)]
    if arguments.json:
        print(as_json({"machine": machine(), "rows": results}))
        return
    if not arguments.markdown:
        print(describe(machine()) + "\n")
    print(table(HEADER, [cells(row) for row in results]))


if __name__ == "__main__":
    main()
