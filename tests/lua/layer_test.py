"""The FreeSWITCH layer alone, on a `core` in plain Lua with a virtual clock: tests/lua/layer/run.lua."""
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def test_every_test_of_the_layer_passes():
    done = subprocess.run(["luajit", "tests/lua/layer/run.lua"], cwd=os.path.join(HERE, "..", ".."), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert int(re.search(r"(\d+) passed, 0 failed", done.stdout).group(1)) > 300
