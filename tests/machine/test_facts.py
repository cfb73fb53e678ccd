import subprocess
import sys

from sgad.machine.facts import peak_memory_mb

CHILD = "from sgad.machine.facts import peak_memory_mb; print(peak_memory_mb())"


def test_peak_memory_counts_this_process_and_not_the_one_that_started_it():
    held = bytearray(400_000_000)
    assert peak_memory_mb() > len(held) / 1e6
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 200
