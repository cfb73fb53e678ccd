#!/usr/bin/env python3
"""Process 1 of a job's container: init.py COMMAND...

Kubernetes sends SIGTERM to process 1 alone, and bash as process 1 neither obeys it nor hands it on: a training would be
killed without a checkpoint. This program hands the signal to every process of the container, and ends when the last
one has: a training may outlive the shell and the Snakemake that started it by the seconds that its checkpoint takes.
"""

import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Run the command and return its exit code, once every process below this one has ended."""
    # Outside a container: whoever loses its parent becomes a child of this process, as it does below process 1.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = subprocess.Popen(sys.argv[1:], start_new_session=True)

    def hand_on(number: int, frame: FrameType | None) -> None:
        # Process 1 reaches its whole container; any other process would reach the whole machine.
        os.kill(-1 if os.getpid() == 1 else -child.pid, number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, hand_on)
    code = 1
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return code
        if pid == child.pid:
            ended = os.waitstatus_to_exitcode(status)
            code = ended if ended >= 0 else 128 - ended


if __name__ == "__main__":
    sys.exit(main())
