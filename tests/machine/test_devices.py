"""Devices, and the settings of the process."""

from pathlib import Path

import pytest
import torch

from sgad.errors import InputError
from sgad.machine.devices import choose_device, gpu_facts, held_device, make_current


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


@pytest.mark.usefixtures("settings_of_gpus")
def test_precision_tf32_is_of_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    gpu = torch.device("cuda:0")
    make_current(gpu, "tf32")
    assert (matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic) == (True, True, True)
    facts = gpu_facts(gpu)
    assert (facts["tf32"], facts["deterministic"]) == ("true", "true")
    make_current(gpu)
    assert not (matmul.allow_tf32 or cudnn.allow_tf32)
    assert gpu_facts(torch.device("cpu")) == {}
    with pytest.raises(InputError, match="precision tf32 needs a CUDA device"), held_device("cpu", "tf32"):
        pass
