"""Programs that a test starts end with it, also when the test itself is killed."""

import ctypes
import signal
import subprocess

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def popen(words, **options):
    """subprocess.Popen; the program gets SIGTERM when this thread's process is gone."""
    return subprocess.Popen(words, preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM), **options)
