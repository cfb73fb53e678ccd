"""What a stage computes on: the device, and the settings of the process."""

import contextlib
import subprocess
from collections.abc import Iterator

import torch

from sgad.errors import InputError
from sgad.machine.facts import usable_cores
from sgad.machine.memory import keep_pages
from sgad.machine.slots import claimed_device, lock_folder, visible_devices


@contextlib.contextmanager
def held_device(wanted: str, precision: str = "float32") -> Iterator[torch.device]:
    """Yield the device named `wanted`; of this machine's GPUs "auto" takes the one with the fewest runs, and holds it.

    Raises
    ------
    InputError
        If there is no such device, or it has no products of this precision.
    """
    if wanted != "auto" or not torch.cuda.is_available():
        yield make_current(choose_device(wanted), precision)
        return
    with claimed_device(visible_devices(torch.cuda.device_count()), lock_folder()) as position:
        yield make_current(torch.device("cuda", position), precision)


def make_current(device: torch.device, precision: str = "float32") -> torch.device:
    """Make a GPU the current one, with products of this precision: compiled kernels run there, wherever their tensors are.

    Its single precision is whole unless asked otherwise, as on a CPU: TF32 rounds what goes into products to ten bits, which
    moves training and distances alike. Convolutions add in one order, so that a resumed run computes the same bits.

    Raises
    ------
    InputError
        If the device has no products of this precision.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.deterministic = True
    elif precision == "tf32":
        raise InputError(
            "precision tf32 needs a CUDA device; use precision float32, or --device cuda on such a machine"
        )
    return device


def gpu_facts(device: torch.device) -> dict[str, str]:
    """Versions and settings that decide what a GPU computes, for records; empty for a CPU."""
    if device.type != "cuda":
        return {}
    backends = torch.backends
    return {
        "cuda": str(torch.version.cuda),
        "cudnn": str(backends.cudnn.version()),
        "driver": driver_version(),
        "tf32": str(backends.cuda.matmul.allow_tf32 or backends.cudnn.allow_tf32).lower(),
        "deterministic": str(backends.cudnn.deterministic).lower(),
    }


def driver_version() -> str:
    """The NVIDIA driver's version, or "unknown"."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    lines = done.stdout.split() if done.returncode == 0 else []
    return lines[0] if lines else "unknown"


def choose_device(wanted: str) -> torch.device:
    """The device called `wanted`; "auto" is the first GPU if there is one.

    Raises
    ------
    InputError
        If torch does not know or does not see that device.
    """
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise InputError(f"--device {wanted!r} is not a device; use auto, cpu or cuda:N") from error
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise InputError(f"--device {wanted} is not on this machine; use --device auto or cpu")
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"--device {wanted} is not supported; use auto, cpu or cuda:N")
    # "cuda" alone is the first; torch makes no device without a number the current one.
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device


def set_threads(threads: int) -> int:
    """Set threads (0: all usable cores), fast memory, no subnormal numbers; return the number of threads."""
    count = threads or usable_cores()
    torch.set_num_threads(count)
    # Decaying potentials become subnormal, and subnormal arithmetic is many times slower.
    torch.set_flush_denormal(True)
    keep_pages()
    return count
