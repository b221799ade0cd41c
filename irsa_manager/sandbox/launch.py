"""Become another program that dies with its parent: `python -I -S launch.py PARENT_PID PROGRAM ARGUMENT...`.

The kernel sends this process SIGKILL when the thread that started it ends, however that comes about, so a killed
supervisor leaves nothing behind (prctl(2), PR_SET_PDEATHSIG; kept across execve). It is a program of its own and not
subprocess's preexec_fn, which may deadlock where the parent has threads. Linux only. Standard library only.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, look whether the parent is still there (it may have died before), then exec."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    main()
