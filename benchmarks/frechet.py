"""The trace of the root of a covariance product, and the whole distance: ours next to the packages' own functions.

    python -m benchmarks.frechet [--dimension 2048] [--sizes 500,10000] [--what trace,distance] [--json | --markdown]

CPU seconds of one thread and errors, in one process; what takes long is timed once, what is quicker several times.
Errors are judged twice. On correlated features, by the nuclear norm of the centred features where n <= d, else singular
values of eigenvector factors. And, for the trace, on covariances that commute, whose answer is known without any of these.
"""

import argparse
import math
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from threadpoolctl import threadpool_limits

from benchmarks.common import Timing, as_json, describe, machine, table
from sgad.measures.mathematics.frechet import frechet_distance, frechet_distance_of_features, root_trace
from sgad.measures.mathematics.moments import Moments, moments_of

#: A method is repeated until it has had this many CPU seconds, at most five times.
ENOUGH_SECONDS, MOST_REPEATS = 15.0, 5
SQRTM = "trace: scipy sqrtm"
Timed = tuple[Timing, float]
Features = NDArray[Any]
Method = Callable[[], Any]


def features(n: int, d: int, seed: int) -> np.ndarray:
    """Correlated features (n, d), float32 as networks give them, variances over four decades."""
    random = np.random.default_rng(seed)
    mixing = np.linalg.qr(np.random.default_rng(7).standard_normal((d, d)))[0]
    scales = np.logspace(0, -2, d) * (1 + 0.2 * (seed % 2))
    return ((random.standard_normal((n, d)) * scales) @ mixing + 0.1 * (seed % 2)).astype(np.float32)


def timed(function: Method) -> Timed:
    """CPU seconds of a method, and the value it gives."""
    seconds: list[float] = []
    value = math.nan
    while not seconds or (sum(seconds) < ENOUGH_SECONDS and len(seconds) < MOST_REPEATS):
        begin = time.process_time()
        value = quietly(function)
        seconds.append(time.process_time() - begin)
    return Timing(statistics.median(seconds), min(seconds), max(seconds), len(seconds)), value


def quietly(function: Method) -> float:
    """The real part of a method's result, without its warnings of singular matrices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(np.real(function()))


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


def commuting_pair(n: int, d: int) -> tuple[Features, Features, Moments, Moments, float]:
    """Features (n, d), or (0, d) where n > d, moments that commute, and the trace of their root, exactly.

    x = P diag(s) V', y = Q diag(t) V' with orthonormal columns, those of P and Q free of the mean: C1 = V diag(s^2) V' and
    C2 = V diag(t^2) V' up to 1 / (n - 1), and the trace is the sum of s t.
    """
    random = np.random.default_rng(11)
    rank = min(n - 1, d)
    axes = np.linalg.qr(random.standard_normal((d, rank)))[0]
    s, t = np.logspace(0, -2, rank), np.logspace(-1, -3, rank)[::-1]
    covariances = [(axes * scales**2) @ axes.T for scales in (s, t)]
    moments = [Moments(n, np.zeros(d), (matrix + matrix.T) / 2) for matrix in covariances]
    sides = [np.zeros((0, d))] * 2
    if n <= d:
        # The first column takes the mean; the others are orthogonal to it.
        frames = [
            np.linalg.qr(np.column_stack([np.ones(n), random.standard_normal((n, rank))]))[0][:, 1:] for _ in range(2)
        ]
        sides = [np.sqrt(n - 1) * (frame * scales) @ axes.T for frame, scales in zip(frames, (s, t), strict=True)]
    return sides[0], sides[1], moments[0], moments[1], float(s @ t)


def by_features(x: Features, y: Features, a: Moments, b: Moments) -> float:
    """The trace that our distance of features takes: it computes no covariance where n <= d."""
    shift = a.mean - b.mean
    rest = float(shift @ shift + np.trace(a.covariance) + np.trace(b.covariance))
    return (rest - frechet_distance_of_features(x, y)) / 2


def traces(x: Features, y: Features, a: Moments, b: Moments) -> dict[str, Method]:
    """Methods that give the trace of the root."""
    methods: dict[str, Method] = {
        SQRTM: lambda: by_sqrtm(a.covariance, b.covariance),
        "trace: eigvals": lambda: by_eigvals(a.covariance, b.covariance),
        "trace: ours, from covariances": lambda: root_trace(a.covariance, b.covariance),
    }
    if 0 < len(x) <= x.shape[1]:
        methods["trace: ours, from features"] = lambda: by_features(x, y, a, b)
    return methods


def distances(x: Features, y: Features, a: Moments, b: Moments) -> dict[str, Method]:
    """Methods that give the whole distance."""
    return {
        "distance: torch-fidelity": lambda: torch_fidelity_distance(a, b),
        "distance: pytorch-fid": lambda: pytorch_fid_distance(a, b),
        "distance: clean-fid": lambda: clean_fid_distance(a, b),
        "distance: ours, from moments": lambda: frechet_distance(a.mean, a.covariance, b.mean, b.covariance),
        "distance: ours, from features": lambda: frechet_distance_of_features(x, y),
    }


def compare(n: int, d: int, what: Sequence[str]) -> list[dict[str, Any]]:
    """One row a method: CPU seconds, relative errors, CPU seconds over those of scipy's sqrtm."""
    x, y = features(n, d, 0), features(n, d, 1)
    a, b = moments_of(x), moments_of(y)
    exact = exact_trace(x, y, a, b)
    shift = a.mean - b.mean
    exact_distance = float(shift @ shift + np.trace(a.covariance) + np.trace(b.covariance) - 2 * exact)
    rows = []
    if "trace" in what:
        *pair, known = commuting_pair(n, d)
        again = traces(*pair)
        rows += [
            (name, *timed(run), exact, quietly(again[name]) / known - 1) for name, run in traces(x, y, a, b).items()
        ]
    if "distance" in what:
        for name, run in distances(x, y, a, b).items():
            try:
                rows.append((name, *timed(run), exact_distance, None))
            except ModuleNotFoundError as error:
                print(f"{name}: {error.name} is not installed; left out")
    sqrtm = next((seconds.median for name, seconds, *_ in rows if name == SQRTM), None)
    return [
        {
            "n": n,
            "d": d,
            "method": name,
            "cpu_seconds": seconds,
            "of_sqrtm": seconds.median / sqrtm if sqrtm else None,
            "relative_error": abs(value / truth - 1),
            "error_of_known_answer": None if error is None else abs(error),
        }
        for name, seconds, value, truth, error in rows
    ]


HEADER = ("n", "d", "method", "CPU seconds: median (range)", "times sqrtm's", "relative error", "error, answer known")


def cells(row: dict[str, Any]) -> list[str]:
    """One line of the table."""
    timing, known = row["cpu_seconds"], row["error_of_known_answer"]
    spread = f"{timing.median:.3f} ({timing.smallest:.3f} to {timing.largest:.3f}, n = {timing.repeats})"
    ratio = "–" if row["of_sqrtm"] is None else f"{row['of_sqrtm']:.4f}"
    last = "–" if known is None else f"{known:.1e}"
    return [str(row["n"]), str(row["d"]), row["method"], spread, ratio, f"{row['relative_error']:.1e}", last]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dimension", type=int, default=2048)
    parser.add_argument("--sizes", default="500,10000", help="numbers of images a side, separated by commas")
    parser.add_argument("--what", default="trace,distance", help="trace, distance or both")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--markdown", action="store_true", help="without the line about the machine")
    arguments = parser.parse_args()
    what = arguments.what.split(",")
    # One thread: CPU seconds of several are no measure of work.
    with threadpool_limits(1):
        results = [row for n in arguments.sizes.split(",") for row in compare(int(n), arguments.dimension, what)]
    if arguments.json:
        print(as_json({"machine": machine(), "rows": results}))
        return
    if not arguments.markdown:
        print(describe(machine()) + "\n")
    print(table(HEADER, [cells(row) for row in results]))


if __name__ == "__main__":
    main()
