"""One thread of a process stands still while the others go on: what happens when the machine gives a thread no time for a while."""

import contextlib
import ctypes
import os

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request, tid):
    if _libc.ptrace(request, tid, None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace: " + os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def frozen(tid):
    """with frozen(engine.pid("worker 0")): the script thread (a worker's first) does not run."""
    _ptrace(SEIZE, tid)
    _ptrace(INTERRUPT, tid)
    os.waitpid(tid, WALL)
    try:
        yield
    finally:
        _ptrace(DETACH, tid)
