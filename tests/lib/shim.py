"""An engine whose wall clock a test moves, and whose processes a test makes spin (shim.c, preloaded).

    shim = Shim(tmp_path)
    e = engine(env=shim.env, …)
    shim.step(3600); shim.spin("broker"); shim.spin(None)
"""

import os
import shutil
import struct
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


class Shim:
    def __init__(self, folder):
        compiler = shutil.which("clang") or shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler")
        library, self.path = str(folder / "shim.so"), str(folder / "shim")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, os.path.join(HERE, "shim.c"), "-ldl"], check=True)
        self.offset_ns, self.spinning = 0, ""
        self._write()
        self.env = {"LD_PRELOAD": library, "CARILLON_SHIM": self.path}

    def _write(self):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as f:
            f.write(struct.pack("<q16s", self.offset_ns, self.spinning.encode()[:15]))

    def step(self, seconds):
        """The wall clock jumps by so much from what it says now."""
        self.offset_ns += int(seconds * 1e9)
        self._write()

    def spin(self, process):
        """The process of that name ("broker", "worker-0", "control") computes for ever from its next look at the clock; None: none does."""
        self.spinning = process or ""
        self._write()
