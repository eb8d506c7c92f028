"""A PostgreSQL server of our own: made with initdb in a temporary folder by an unprivileged user, on a free port."""

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import time

from .ports import free_port


def find_bin():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4].split(".")[0]))
    return os.path.dirname(found[-1]) if found else None


class Postgres:
    def __init__(self):
        self.bin = find_bin()
        self.folder = tempfile.mkdtemp(prefix="crl-pg-")
        self.port = free_port()
        self.count = 0
        self.user = None
        if os.getuid() == 0:  # the server refuses to run as root
            names = [u.pw_name for u in pwd.getpwall()]
            self.user = "postgres" if "postgres" in names else "nobody"
            account = pwd.getpwnam(self.user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self.data = os.path.join(self.folder, "data")
        self._run("initdb", "-D", self.data, "-U", "carillon", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def _run(self, program, *words, check=True):
        as_user = ["setpriv", "--reuid", self.user, "--regid", str(pwd.getpwnam(self.user).pw_gid), "--clear-groups"] if self.user else []
        done = subprocess.run(as_user + [os.path.join(self.bin, program), *words], capture_output=True, text=True, cwd=self.folder)
        if check and done.returncode != 0:
            raise AssertionError("%s: %s%s" % (program, done.stdout, done.stderr))
        return done

    def start(self):
        options = "-p %d -k %s -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200" % (self.port, self.folder)
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "30", "-l", os.path.join(self.folder, "log"), "-o", options, "start")

    def stop(self, mode="immediate"):
        """An outage: connections break, new ones are refused."""
        self._run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop", check=False)

    def url(self, database):
        return "postgresql://carillon@127.0.0.1:%d/%s" % (self.port, database)

    def new_database(self):
        """A fresh database's URL."""
        self.count += 1
        name = "t%d" % self.count
        self.sql("postgres", "create database " + name)
        return self.url(name)

    def sql(self, database, text):
        """Rows as lists of texts; database is a name or a URL."""
        url = database if "://" in database else self.url(database)
        done = subprocess.run([os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-F", "\t", "-d", url, "-c", text],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def close(self):
        self.stop()
        for _ in range(20):
            shutil.rmtree(self.folder, ignore_errors=True)
            if not os.path.exists(self.folder):
                break
            time.sleep(0.1)
