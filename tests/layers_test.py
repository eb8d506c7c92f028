"""Who may know whom (docs/architecture.md): includes are held against the rooms table of build.zig, which also makes the link lines."""

import os
import re

import pytest

from lib.paths import ROOT

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)

# A library belongs to the rooms that are named; nobody else includes its headers.
LIBRARIES = {
    r"^sofia-sip/": {"broker"},
    r"^liburing": {"worker"},
    r"^linux/io_uring": {"worker"},
    r"^(lua|lauxlib|lualib|luajit)\.h$": {"core", "lua", "campaign", "worker", "esl"},
    r"^(libpq-fe|sqlite3|sql|sqlext)\.h$": {"store"},
    r"^(opus/|opus\.h|srtp2/|spandsp|speex/|sndfile|bcg729|flite)": {"media"},
    r"^(pcre2|expat|curl/)": {"lua"},
    r"^openssl/": {"registrar"},
    r"^jemalloc/": {"main"},
    r"^histedit\.h$": {"main"},
    r"^microhttpd": {"control"},
}
PRIVATE = re.compile(r"(^|_)(own|private|internal|layout)\.h$")


def rooms():
    with open(os.path.join(ROOT, "build.zig"), encoding="utf-8") as f:
        text = f.read()
    table = text[text.index("const rooms = [_]Room{"):]
    table = table[: table.index("\n};")]
    out = {}
    for line in table.splitlines():
        name = re.search(r'\.name = "([a-z]+)"', line)
        if name:
            uses = re.search(r"\.uses = &\.\{([^}]*)\}", line)
            out[name.group(1)] = set(re.findall(r'"([a-z]+)"', uses.group(1))) if uses else set()
    return out


ROOMS = rooms()


def includes(folder):
    """(file, is it ours, path) of every include below a folder."""
    for where, folders, files in os.walk(folder):
        for name in sorted(files):
            if name.endswith((".c", ".h")):
                path = os.path.join(where, name)
                with open(path, encoding="utf-8") as f:
                    for quote, included in INCLUDE.findall(f.read()):
                        yield os.path.relpath(path, ROOT), quote == '"', included


def test_every_folder_of_src_is_a_room():
    folders = {name for name in os.listdir(os.path.join(ROOT, "src")) if os.path.isdir(os.path.join(ROOT, "src", name))}
    assert folders <= set(ROOMS), folders - set(ROOMS)


def test_no_room_uses_one_that_uses_it():
    order = list(ROOMS)
    for name, uses in ROOMS.items():
        for used in uses:
            assert order.index(used) < order.index(name), "%s stands before %s, which it uses" % (name, used)


def test_processes_do_not_know_each_other():
    for name in ("broker", "worker", "control", "supervisor"):
        assert not ROOMS[name] & {"broker", "worker", "control", "supervisor"}
    assert ROOMS["bus"] == {"core"}
    assert not ROOMS["media"] & {"lua", "broker", "bus"}
    assert "media" not in ROOMS["lua"]


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_includes_only_those_it_may_know(room):
    wrong = []
    for path, ours, included in includes(os.path.join(ROOT, "src", room)):
        head = included.split("/")[0] if "/" in included else room
        if ours and head in ROOMS and head != room and head not in ROOMS[room]:
            wrong.append("%s includes %s" % (path, included))
        if ours and head in ROOMS and head != room and PRIVATE.search(os.path.basename(included)):
            wrong.append("%s includes %s, which is private to %s" % (path, included, head))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_library_appears_only_where_it_belongs(room):
    wrong = []
    for path, ours, included in includes(os.path.join(ROOT, "src", room)):
        for pattern, allowed in LIBRARIES.items():
            if re.search(pattern, included) and room not in allowed:
                wrong.append("%s includes <%s>, which belongs to %s" % (path, included, ", ".join(sorted(allowed))))
    assert not wrong, "\n".join(wrong)


def test_the_simulated_carrier_shares_no_code_with_the_engine():
    wrong = [
        "%s includes %s" % (path, included)
        for path, ours, included in includes(os.path.join(ROOT, "bench", "carrier"))
        if ours and included.split("/")[0] in ROOMS and "/" in included
    ]
    assert not wrong, "\n".join(wrong)
