"""What holds for every test: no network, one thread a process, no display, a clean environment."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Before numpy or torch are imported, because they read these once. Two test processes share two cores.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["MPLBACKEND"] = "Agg"
# cuBLAS adds in one order only with a workspace of fixed size.
os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
for _name in [name for name in os.environ if name.startswith("SGAD_") and name != "SGAD_TEST_DATA"]:
    del os.environ[_name]

REPOSITORY = Path(__file__).resolve().parents[1]
#: Where tests marked needs_data look for real files, in this order; $SGAD_TEST_DATA may name several places, as PATH does.
DATA_PLACES = [
    Path(place)
    for place in (
        *os.environ.get("SGAD_TEST_DATA", "").split(os.pathsep),
        REPOSITORY.parent / "shared",
        REPOSITORY.parent / "data",
    )
    if place
]

_connect = socket.socket.connect


def _connect_here_only(self: socket.socket, address: Any) -> None:
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"tests run offline; something tried to reach {address}")
    _connect(self, address)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _connect_here_only)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that ask for a GPU say why they are left out where there is none."""
    if not any(item.get_closest_marker("gpu") for item in items):
        return
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


@pytest.fixture(autouse=True)
def _as_trainings_do(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests on a GPU compute as trainings do: whole float32, sums in one order; what has no such order is an error."""
    if not request.node.get_closest_marker("gpu"):
        yield
        return
    import torch

    from sgad.machine.devices import held_device

    with held_device("cuda"):
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(False)


@pytest.fixture
def settings_of_gpus() -> Iterator[None]:
    """Give torch's settings of GPUs back as they were; they can be set without a device."""
    import torch

    places = [(torch.backends.cuda.matmul, "allow_tf32")]
    places += [(torch.backends.cudnn, name) for name in ("allow_tf32", "deterministic")]
    before = [getattr(*place) for place in places]
    yield
    for (module, name), value in zip(places, before, strict=True):
        setattr(module, name, value)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the working tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def find_data() -> Any:
    """Return a function that gives the first existing path of a name below DATA_PLACES, or skips the test."""

    def find(name: str) -> Path:
        for place in DATA_PLACES:
            if (place / name).exists():
                return place / name
        pytest.skip(f"{name} is not below {' or '.join(map(str, DATA_PLACES))}")

    return find


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the prepared digits, for trainings of a few steps."""
    from sgad.data.description import load_description
    from sgad.data.prepare import prepare

    folder = tmp_path_factory.mktemp("data") / "digits"
    prepare(load_description("digits"), [], folder)
    return folder
