"""What a stage computes on: the device, and the settings of the process."""

import contextlib
from collections.abc import Iterator

import torch

from sgad.errors import InputError
from sgad.machine.facts import usable_cores
from sgad.machine.memory import keep_pages
from sgad.machine.slots import claimed_device, lock_folder, visible_devices


@contextlib.contextmanager
def held_device(wanted: str) -> Iterator[torch.device]:
    """Yield the device called `wanted`; of this machine's GPUs "auto" takes the one with the fewest runs, and holds it."""
    if wanted != "auto" or not torch.cuda.is_available():
        yield _current(choose_device(wanted))
        return
    with claimed_device(visible_devices(torch.cuda.device_count()), lock_folder()) as position:
        yield _current(torch.device("cuda", position))


def _current(device: torch.device) -> torch.device:
    """Make a GPU the current one: compiled kernels run there, whatever device their tensors are on.

    Its single precision is whole, as on a CPU: TF32 rounds what goes into convolutions to ten bits, which moves training
    and distances alike. Convolutions add in one order, so that a resumed run computes the same bits.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    return device


def choose_device(wanted: str) -> torch.device:
    """Return the device called `wanted`; "auto" is the first GPU if there is one.

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
