"""GPU slots: distinct while any device is free, shared evenly after that, free again when their holder dies."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sgad.machine.slots import claimed_device, lock_folder, visible_devices

HOLDER = """
import sys, time
from pathlib import Path
from sgad.machine.slots import claimed_device
with claimed_device(["0", "1"], Path(sys.argv[1])) as position:
    print(position, flush=True)
    time.sleep(60)
"""


def test_runs_spread_over_the_devices_before_they_share_one(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(claimed_device(["0", "1", "2"], tmp_path)) for _ in range(7)]
    assert taken == [0, 1, 2, 0, 1, 2, 0]


def test_a_slot_is_free_after_the_block(tmp_path: Path) -> None:
    for _ in range(3):
        with claimed_device(["0", "1"], tmp_path) as position:
            assert position == 0


def test_a_killed_process_leaves_its_slot(tmp_path: Path, repository: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "0\n"
        with claimed_device(["0", "1"], tmp_path) as position:
            assert position == 1
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with claimed_device(["0", "1"], tmp_path) as position:
            assert position == 0


def test_processes_that_see_other_devices_agree_on_the_locks(tmp_path: Path) -> None:
    first = visible_devices(2, {"CUDA_VISIBLE_DEVICES": "2,3"})
    second = visible_devices(2, {"CUDA_VISIBLE_DEVICES": "3, 4"})
    with claimed_device(first[1:], tmp_path), claimed_device(second, tmp_path) as position:
        assert second[position] == "4"


@pytest.mark.parametrize("value", ["", "0,1,2", "none"])
def test_a_variable_that_does_not_fit_is_not_used(value: str) -> None:
    assert visible_devices(2, {"CUDA_VISIBLE_DEVICES": value}) == ["0", "1"]


def test_the_folder_can_be_chosen(tmp_path: Path) -> None:
    assert lock_folder({"SGAD_GPU_LOCKS": str(tmp_path)}) == tmp_path
    assert str(os.getuid()) in lock_folder({}).name


def test_no_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no device"), claimed_device([], tmp_path):
        pass
