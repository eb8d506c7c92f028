"""./run, the one door."""

import os
import re
import subprocess

import pytest

from lib.paths import ROOT


def run(*words):
    return subprocess.run([os.path.join(ROOT, "run"), *words], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", ["demo", "test", "bench", "start", "build", "clean"])
def test_every_command_has_help_that_does_nothing(command):
    done = run(command, "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: ./run " + command), done.stderr


def test_unknown_words_are_refused():
    assert run("frobnicate").returncode == 1
    assert run("demo", "--frobnicate").returncode == 1
    assert "whole numbers" in run("demo", "--leads", "ten").stderr


def test_every_package_has_a_reason():
    with open(os.path.join(ROOT, "deploy", "packages"), encoding="utf-8") as f:
        rows = [line.split(None, 2) for line in f if line.strip() and not line.startswith("#")]
    assert all(len(row) == 3 and row[0] in ("build", "test") for row in rows)
    names = [row[1] for row in rows]
    assert len(names) == len(set(names))


def test_every_library_of_the_build_is_in_the_list_of_packages():
    with open(os.path.join(ROOT, "docs", "dependencies.md"), encoding="utf-8") as f:
        text = f.read()
    with open(os.path.join(ROOT, "deploy", "packages"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("build "):
                assert "`%s`" % line.split()[1] in text, line


def test_the_pinned_zig_is_one():
    with open(os.path.join(ROOT, "build.zig"), encoding="utf-8") as f:
        pinned = re.search(r'zig_version = "([^"]+)"', f.read()).group(1)
    with open(os.path.join(ROOT, "deploy", "run", "lib.sh"), encoding="utf-8") as f:
        assert "zig_version=%s\n" % pinned in f.read()
