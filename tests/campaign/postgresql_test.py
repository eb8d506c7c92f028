"""The C tests of store and campaign once more, against a PostgreSQL of their own: made in a temporary folder, on a free port, stopped at the end."""
import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))


def unprivileged():
    """PostgreSQL refuses to run as root: then another user runs it."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    pytest.skip("running as root, and there is neither a user postgres nor nobody")


class Server:
    def __init__(self, folder, user):
        self.folder, self.user, self.bin = folder, user, BIN[-1]
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.dsn = f"postgresql://carillon:secret@127.0.0.1:{self.port}/carillon"

    def run(self, *command):
        options = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **options)

    def control(self, *words):
        return [f"{self.bin}/pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", *words]

    def create(self):
        with open(f"{self.folder}/password", "w") as f:
            f.write("secret\n")
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
            os.chown(f"{self.folder}/password", self.user.pw_uid, self.user.pw_gid)
        self.run(f"{self.bin}/initdb", "-D", f"{self.folder}/data", "-U", "carillon", "--pwfile", f"{self.folder}/password", "-A", "scram-sha-256", "-N")
        with open(f"{self.folder}/data/postgresql.conf", "a") as f:
            f.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
        self.run(*self.control("start"))
        env = {**os.environ, "PGPASSWORD": "secret"}
        subprocess.run(["psql", "-q", f"postgresql://carillon@127.0.0.1:{self.port}/postgres", "-c", "CREATE DATABASE carillon"], check=True, env=env)

    def as_shell(self, *words):
        """A command that a test may give to system()."""
        line = " ".join(self.control(*words)) + " >/dev/null 2>&1"
        return f"cd / && setpriv --reuid={self.user.pw_uid} --regid={self.user.pw_gid} --clear-groups {line}" if self.user else line


@pytest.fixture(scope="module")
def server():
    if not BIN:
        pytest.skip("no PostgreSQL server is installed (apt install postgresql)")
    folder = tempfile.mkdtemp(prefix="carillon-pg-")
    s = Server(folder, unprivileged())
    try:
        s.create()
        yield s
    finally:
        subprocess.run(s.as_shell("stop", "-m", "immediate"), shell=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def run_program(server, name, timeout=240):
    program = os.path.join(ROOT, "zig-out", "test", name)
    if not os.path.exists(program):
        pytest.skip(f"{program} is not built (./run build)")
    env = {
        **os.environ,
        "TEST_DATABASE": server.dsn,
        "TEST_SERVER_STOP": server.as_shell("stop", "-m", "immediate"),
        "TEST_SERVER_START": server.as_shell("start"),
    }
    result = subprocess.run([program], env=env, capture_output=True, text=True, timeout=timeout)
    print(result.stdout, result.stderr)
    assert result.returncode == 0


@pytest.mark.parametrize("name", ["store-db_test", "campaign-ledger_test", "campaign-import_test", "campaign-campaigns_test"])
def test_on_postgresql(server, name):
    run_program(server, name)
