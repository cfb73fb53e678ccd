"""The GPU check: its runner with stages of no weight, its probes on a CPU, and the way of its figures into RESULTS.md."""

import json
import sys
import time

import pytest
import torch

import benchmarks.__main__ as command
from benchmarks.gpu_check import __main__ as gpu_check
from benchmarks.gpu_check import probes
from benchmarks.gpu_check.stages import Request, Stage, stages
from benchmarks.suite import entries, read_results

SHORT = Stage("short", ("-c", "print('{\"speed\": 3}'); print('{no json')"), 30)


def begun():
    return {"device": "cuda", "small": False, "about": "NVIDIA H100, driver 570; commit abc", "stages": []}


def test_a_stage_leaves_figures_and_a_failed_one_its_last_lines():
    assert gpu_check.run_stage(SHORT, 30) | {"seconds": 0} == {"exit": 0, "seconds": 0, "values": [{"speed": 3}]}
    failed = gpu_check.run_stage(Stage("bad", ("-c", "raise SystemExit('no compiler')"), 30), 30)
    assert failed["exit"] == 1
    assert failed["tail"] == ["no compiler"]


def test_a_stage_that_takes_too_long_is_ended_with_its_children():
    child = f"import subprocess; subprocess.run(['{sys.executable}', '-c', 'import time; time.sleep(60)'])"
    begin = time.monotonic()
    assert gpu_check.run_stage(Stage("slow", ("-c", child), 60), 1.0)["exit"] == 124
    assert time.monotonic() - begin < 20


def test_stages_share_the_time_and_the_file_is_written_after_each(tmp_path):
    now, limits, written = [0.0], [], []
    out = tmp_path / "new" / "check.json"

    def run(stage, limit):
        written.append(out.is_file())
        limits.append(limit)
        now[0] += 50
        return {"exit": 0, "seconds": 50, "values": []}

    missing = Stage("missing", (), 50, ("no_such_package",))
    chosen = [Stage("a", (), 70), missing, Stage("b", (), 70), Stage("c", (), 70)]
    report = gpu_check.check(chosen, begun(), out, 105, run, lambda: now[0])
    assert limits == [70, 55]
    assert written == [False, True]
    left_out = {stage["stage"]: stage.get("left_out") for stage in report["stages"]}
    assert left_out == {"a": None, "missing": "needs no_such_package", "b": None, "c": "5 s left"}
    assert json.loads(out.read_text()) == report


def test_it_says_what_it_lacks_before_it_begins(monkeypatch, capsys):
    monkeypatch.setattr(gpu_check, "NEEDED", ("torch", "no_such_package"))
    assert gpu_check.main(["--device", "cpu"]) == 2
    assert "needs the packages no_such_package" in capsys.readouterr().err
    monkeypatch.setattr(gpu_check, "NEEDED", ())
    if not torch.cuda.is_available():
        assert gpu_check.main([]) == 2
        assert "no CUDA device" in capsys.readouterr().err
    assert gpu_check.main(["--device", "cpu", "--only", "speeed"]) == 2
    assert "no stage 'speeed'" in capsys.readouterr().err


def test_every_gpu_entry_has_a_stage_and_the_limits_leave_room(tmp_path):
    found = stages(Request("cuda", is_small=False, data=tmp_path), tmp_path)
    assert {stage.entry for stage in found} - {None} == {name for name in entries() if name.startswith("gpu/")}
    assert all(stage.seconds <= 120 for stage in found)
    rehearsed = {stage.name for stage in stages(Request("cpu", is_small=True, data=tmp_path), tmp_path)}
    assert {stage.name for stage in found if stage.entry is None} <= rehearsed


@pytest.mark.filterwarnings("ignore:.*:UserWarning:numba")
@pytest.mark.parametrize(
    "name", ["card", "layouts", *(pytest.param(name, marks=pytest.mark.slow) for name in ("determinism", "profile"))]
)
def test_probes_can_be_rehearsed_on_a_cpu(name, capsys):
    probes.PROBES[name](probes.Place(torch.device("cpu"), is_small=True))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert lines
    if name == "determinism":
        assert all(line["twice_equal_bits"] and line["graph_equals_kernels"] for line in lines)


def check_file(folder, **changes):
    stage = {"stage": "gpu/sgad_mnist", "exit": 0, "seconds": 9}
    entry = {"name": "gpu/sgad_mnist", "command": "-m benchmarks.train_step --device cuda", "text": "| a | b |"}
    path = folder / "check.json"
    path.write_text(json.dumps(begun() | {"stages": [stage | {"entry": entry}]} | changes))
    return path


def test_figures_go_from_a_check_into_the_file_and_leave_other_entries(tmp_path):
    out = tmp_path / "RESULTS.md"
    out.write_text("## data\n\n### data/data\n\nolder\n")
    assert command.main(["--from-check", str(check_file(tmp_path)), "--out", str(out)]) == 0
    found = read_results(out.read_text())
    assert found["data/data"] == "older"
    expected = "`python -m benchmarks.train_step --device cuda`\n\n| a | b |\n\n*NVIDIA H100, driver 570; commit abc*"
    assert found["gpu/sgad_mnist"] == expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"small": True}, "holds no figures"),
        ({"stages": []}, "holds no figures"),
        ({"stages": 3}, "is not the file of a GPU check"),
        ({"stages": [{"entry": {"name": "gpu/old", "command": "", "text": ""}}]}, "the entry 'gpu/old'"),
    ],
)
def test_what_is_no_check_changes_nothing(changes, words, tmp_path, capsys):
    out = tmp_path / "RESULTS.md"
    assert command.main(["--from-check", str(check_file(tmp_path, **changes)), "--out", str(out)]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()
