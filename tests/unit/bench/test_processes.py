"""Everything that is started is ended."""

import sys
from pathlib import Path

import psutil
import pytest

from bench.processes import Child, Children, free_port

SLEEPER = (
    sys.executable,
    "-c",
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True)\n"
    "while time.process_time() < 0.1: pass\n"
    "time.sleep(60)",
)


def wait_for_pid(log: Path) -> int:
    while not log.read_text().endswith("\n"):
        pass
    return int(log.read_text())


def test_a_childs_child_ends_too_even_after_an_error(tmp_path: Path) -> None:
    def interrupted() -> None:
        with Children() as children:
            started.append(children.start("sleeper", SLEEPER, core=None, env={}, folder=tmp_path))
            pids.append(wait_for_pid(started[0].log))
            assert started[0].rss_bytes() > 1_000_000
            while started[0].cpu_seconds() == 0:  # it computes for as long as several ticks of the clock
                assert started[0].running
            raise KeyboardInterrupt

    started: list[Child] = []
    pids: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    child, grandchild = started[0], pids[0]
    assert not psutil.pid_exists(child.pid)
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE
    assert child.rss_bytes() == 0


def test_a_program_that_ended_by_itself_is_no_trouble(tmp_path: Path) -> None:
    with Children() as children:
        child = children.start("short", (sys.executable, "-c", ""), core=None, env={}, folder=tmp_path)
        children.end(child)
    assert not child.running


def test_free_ports_are_free() -> None:
    assert 1024 < free_port() < 65536
