"""Devices, and the settings of the process."""

from pathlib import Path

import pytest
import torch

from sgad.errors import InputError
from sgad.machine.devices import choose_device, held_device


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta"])
def test_wrong_devices_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=name):
        choose_device(name)


def test_runs_on_one_machine_take_different_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SGAD_GPU_LOCKS", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    with held_device("auto") as first, held_device("auto") as second, held_device("auto") as third:
        assert [first.index, second.index, third.index] == [0, 1, 0]
    assert current == [first, second, third]
    with held_device("cpu") as device:
        assert device.type == "cpu"


def test_a_gpu_without_a_number_is_the_first_and_computes_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    with held_device("cuda"), held_device("cuda:1"):
        assert current == [torch.device("cuda:0"), torch.device("cuda:1")]
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic) == (False, True)
