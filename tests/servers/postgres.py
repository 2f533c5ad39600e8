"""A real PostgreSQL of its own, where Debian's package is installed."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.gateway import free_port

PASSWORD = "p@ss/word"
USER = "nexus"


def postgres_binaries() -> Path | None:
    """The folder of the newest installed server, None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


def why_not() -> str:
    """Why no server can be started here; empty where one can."""
    if postgres_binaries() is None:
        return "PostgreSQL's server is not installed (Debian: apt install postgresql)"
    if os.geteuid() == 0 and not (shutil.which("setpriv") and _has_user("postgres")):
        return "PostgreSQL does not run as root, and there is no user postgres to run it as"
    return ""


@contextmanager
def postgres() -> Iterator[str]:
    """A server on loopback, emptied of nothing but ours; yields `user:password@host:port`."""
    binaries = postgres_binaries()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="nexus-postgres-"))
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, secret):
                shutil.chown(path, "postgres", "postgres")
        data, port = folder / "data", free_port()
        initdb = ["initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "-N"]
        _run(binaries, [*initdb, "--no-locale"])
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off -c shared_buffers=16MB"
        control = ["pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        _run(binaries, [*control, "-o", options, "start"])
        try:
            yield f"{USER}:{PASSWORD.replace('@', '%40').replace('/', '%2F')}@127.0.0.1:{port}"
        finally:
            _run(binaries, [*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_name() -> str:
    """A name for a database that nobody else uses."""
    return f"test_{secrets.token_hex(6)}"


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _run(binaries: Path, command: list[str | Path]) -> None:
    program = [str(binaries / command[0]), *map(str, command[1:])]
    if os.geteuid() == 0:
        program = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *program]
    # To a file and not a pipe: the server that pg_ctl starts keeps what it was given open.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(program, check=False, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd="/")
        output.seek(0)
        assert done.returncode == 0, (program, output.read())
