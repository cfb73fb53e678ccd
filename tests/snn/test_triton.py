"""The CUDA kernels without a device: interpreted against the torch kernels, and compiled for one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")


def report(module, *words, **environment):
    """Run a module of these tests in a process of its own: Triton reads its settings when it is imported."""
    command = [sys.executable, "-W", "ignore", "-m", f"tests.snn.{module}", *words]
    root = Path(__file__).parents[2]
    settings = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=settings)
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_interpreted_kernels_equal_the_torch_kernels():
    found = report("interpreted", "--every", "11", TRITON_INTERPRET="1")
    assert found["cases"] == 18
    assert found["differ"] == []


@pytest.mark.slow
def test_interpreted_kernels_equal_the_torch_kernels_in_every_case():
    found = report("interpreted", TRITON_INTERPRET="1")
    assert found["cases"] == 192
    assert found["differ"] == []


def test_compiled_kernels_wait_where_threads_read_what_others_wrote(tmp_path):
    found = report("compiled", TRITON_CACHE_DIR=str(tmp_path))
    assert found["compiled"] == 28
    assert found["barriers"] == [True, True, True]
    # A threshold of 0.7 in float64 is not the float32 number next to it.
    assert found["exact"] and not found["rounded"]
    assert found["registers_hold_potentials"]
    assert found["wide_loads"]
