"""The stages of a GPU check: what each runs, how long it may take, and which packages it needs."""

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.suite import Entry, entries

#: Without these nothing of the package can be imported.
NEEDED = ("torch", "numpy", "pydantic", "yaml", "safetensors", "click", "tqdm", "PIL")
#: GPU entries of RESULTS.md by worth: what no longer fits into the time is left out.
BY_WORTH = (
    "sgad_mnist", "sgad_mnist_tf32", "sample_sgad", "two_trainings", "four_trainings", "swgan_mnist", "sgad_celeba",
    "swgan_nmnist",
)  # fmt: skip
GPU_TESTS = ("tests/snn/test_cuda.py", "tests/training/test_graphs.py")


@dataclass(frozen=True)
class Stage:
    """One process of a check.

    Attributes
    ----------
    command
        Its words after the interpreter.
    seconds
        The most that it may take.
    needs
        Packages without which it is left out.
    entry
        The entry of RESULTS.md that its standard output is.
    environment
        Variables that it gets in addition to those of the check.
    """

    name: str
    command: tuple[str, ...]
    seconds: float
    needs: tuple[str, ...] = ()
    entry: str | None = None
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Request:
    """What a check is asked for: the device, whether all is small (a rehearsal), folders with what a machine may have."""

    device: str
    is_small: bool
    golden: tuple[Path, ...] = ()
    reference: Path | None = None
    data: Path | None = None


def stages(request: Request, work: Path) -> list[Stage]:
    """List the stages of a check, those first whose failure tells most; `work` is a folder for what they leave."""
    device = ("--device", request.device, *(("--small",) if request.is_small else ()))
    on_gpu = request.device.startswith("cuda")
    # On a CPU, Triton's kernels run in its interpreter.
    interpreted = () if on_gpu else (("TRITON_INTERPRET", "1"),)
    # Each case compiles kernels of its own: all 192 would take minutes.
    cases = ("--device", request.device, "--every", "37" if request.is_small else "9")
    found = [
        _probe("card", device, 45),
        Stage("kernels", ("-m", "tests.snn.interpreted", *cases), 90, ("triton",), environment=interpreted),
        # Warnings are shown and do not fail: with another torch than the pinned one they would hide the result.
        Stage("tests", ("-m", "pytest", "-m", "gpu", "-q", "-W", "default", "-p", "no:cacheprovider", *GPU_TESTS), 120,
              ("pytest", "pytest_timeout")),
    ]  # fmt: skip
    if request.golden:
        files = tuple(str(path) for path in request.golden)
        found.append(Stage("golden", ("-m", "tests.golden", "--device", request.device, *files), 60))
    found += [_probe("plain_definition", device, 45), _probe("determinism", device, 60)]
    found += _speed(request)
    found += [_probe("profile", device, 30), _probe("layouts", device, 40)]
    if request.data is not None:
        found.append(_training(request, work))
    return found


def _probe(name: str, words: tuple[str, ...], seconds: float) -> Stage:
    return Stage(name, ("-m", "benchmarks.gpu_check.probes", name, *words), seconds)


def _speed(request: Request) -> list[Stage]:
    """One stage an entry of RESULTS.md; a rehearsal runs a small case that is no entry."""
    if request.is_small:
        small = "--dataset mnist --time-steps 2 --batch-size 4 --repeats 2 --no-memory --markdown --device"
        return [Stage("speed", ("-m", "benchmarks.train_step", *small.split(), request.device), 60)]
    known = entries()
    return [_measured(f"gpu/{name}", known[f"gpu/{name}"], request) for name in BY_WORTH]


def _measured(name: str, entry: Entry, request: Request) -> Stage:
    reference = str(request.reference) if request.reference else None
    return Stage(name, ("-m", *entry.command(reference), "--markdown"), 75, entry=name)


def _training(request: Request, work: Path) -> Stage:
    """A whole `sgad train` of SGAD on prepared digits."""
    steps, batch, time_steps = (4, 4, 2) if request.is_small else (1000, 64, 16)
    settings = (
        f"max_steps={steps}",
        f"batch_size={batch}",
        f"time_steps={time_steps}",
        "epochs=100000",
        "log_every=500",
    )
    words = ["-m", "sgad", "train", "--dataset", "digits", "--model", "sgad", "--variant", "paper"]
    words += ["--data", str(request.data), "--out", str(work / "training"), "--device", request.device, "--no-resume"]
    return Stage("training", (*words, *(word for item in settings for word in ("--set", item))), 60)


def python() -> str:
    """The interpreter that all stages run in."""
    return sys.executable
