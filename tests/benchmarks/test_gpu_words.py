"""What an entry of RESULTS.md says of a GPU, and the way of timing that a training sees."""

import pytest
import torch

from benchmarks.common import describe, machine
from benchmarks.train_step import about_settings, prepare, time_in_a_row


@pytest.mark.usefixtures("settings_of_gpus")
def test_a_gpu_is_named_with_driver_and_settings(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr("benchmarks.train_step.choose_device", torch.device)
    monkeypatch.setattr("sgad.machine.devices.driver_version", lambda: "570.1")
    prepare(0, "cuda", "tf32")
    for words in (describe(machine("cuda")), about_settings("cuda", "tf32")):
        for part in ("NVIDIA H100", "driver 570.1", "tf32 true", "deterministic true", "triton 3"):
            assert part in words
    assert "gpu" not in machine()


def test_a_cpu_entry_reads_as_before():
    assert about_settings("cpu", "float32") == f"{torch.get_num_threads()} threads, cpu"


def test_calls_in_a_row_are_waited_for_once():
    calls = []
    ticks = iter((10.0, 16.0))
    seconds = time_in_a_row(lambda: calls.append("run"), 3, lambda: calls.append("wait"), lambda: next(ticks))
    assert seconds == 2.0
    assert calls == ["run", "wait", "run", "run", "run", "wait"]
