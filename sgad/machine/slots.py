"""Which GPU a process takes, so that concurrent runs on one machine spread over its devices.

Each device has slots 0, 1, ..., each a lock file. A process takes the first free lock in the order (slot, device): the
second run on a device starts only when every device has one. The system frees a lock when its holder dies, however it
dies. How many runs there are at once is for the workflow to limit (`--resources gpu=N`).
"""

import contextlib
import fcntl
import itertools
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: Local to the machine, never on a network file system; $SGAD_GPU_LOCKS names another.
FOLDER_VARIABLE = "SGAD_GPU_LOCKS"


def lock_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the lock files, one a user and machine."""
    default = Path(tempfile.gettempdir()) / f"sgad-gpus-{os.getuid()}"
    return Path(environment.get(FOLDER_VARIABLE) or default)


def visible_devices(count: int, environment: Mapping[str, str] = os.environ) -> list[str]:
    """What names the `count` visible devices on this machine, in torch's order.

    Processes that see different parts of the machine agree on these names, but not on torch's indices.
    """
    names = [name.strip() for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return names if len(names) == count else [str(index) for index in range(count)]


@contextlib.contextmanager
def claimed_device(devices: Sequence[str], folder: Path) -> Iterator[int]:
    """Hold a slot of one of `devices` for the length of the block; yield the position of the device.

    Raises
    ------
    ValueError
        If there are no devices.
    """
    if not devices:
        raise ValueError("there is no device to claim")
    folder.mkdir(parents=True, exist_ok=True)
    slots = ((slot, position, name) for slot in itertools.count() for position, name in enumerate(devices))
    for slot, position, name in slots:
        # Not inherited by children, which could otherwise hold the slot of a parent that died.
        descriptor = os.open(folder / f"{_file_name(name)}.{slot}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield position
        finally:
            os.close(descriptor)
        return


def _file_name(device: str) -> str:
    return "gpu" + "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in device)
