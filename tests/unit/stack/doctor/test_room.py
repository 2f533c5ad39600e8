"""Cores, memory and disk against what manifests say, with machines of any size."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nexus.stack.distribution import running_sdk
from nexus.stack.doctor.room import cores, disk, judge_cores, judge_disk, judge_memory, memory, needs
from nexus.stack.doctor.values import Host, Wanted
from nexus.stack.environments import Recipe, environment_of


@pytest.mark.parametrize(
    ("usable", "quota", "level", "told"),
    [
        (8, None, "ok", "8 cores"),
        (8, 2.5, "ok", "8 cores, of which the control group gives 2.5"),
        (8, 1.5, "warning", "8 cores, of which the control group gives 1.5"),
        (2, 4.0, "ok", "2 cores"),
        (1, None, "warning", "1 core"),
    ],
)
def test_cores(usable: int, quota: float | None, level: str, told: str) -> None:
    found = judge_cores(usable, quota)
    assert (found.level, found.what) == (level, told)


def test_the_memory_that_is_needed_is_what_the_manifests_say_in_sum(wanted, host) -> None:
    services = (
        wanted("reader", memory=300, replicas=2),
        wanted("native", memory=10, engine=True),
        wanted("painter", memory=100, engine=True, in_stack=False),
    )
    assert needs(host(*services)) == {
        "gateway": 256,
        "reader": 600,
        "native": 10,
        "painter": 100,
        "painter-engine": 4096,
    }


def test_a_host_that_is_too_small() -> None:
    found = judge_memory({"gateway": 256, "small": 10, "large": 2000, "larger": 3000}, 4000, 3000)
    assert found.level == "problem"
    assert found.what == "the stack asks for 5266 MB of memory; this host has 4000 MB"
    assert "the largest are larger 3000 MB, large 2000 MB, gateway 256 MB" in found.todo


@pytest.mark.parametrize(("available", "level"), [(5000, "ok"), (100, "warning"), (None, "ok")])
def test_a_host_that_is_busy(available: int | None, level: str) -> None:
    assert judge_memory({"all": 1000}, 8000, available).level == level


def test_more_than_any_machine_has(wanted: Callable[..., Wanted], host: Callable[..., Host]) -> None:
    (found,) = memory(host(wanted(memory=10**9)))
    assert found.level == "problem"


def test_a_stack_that_runs_has_its_memory_already(wanted, host) -> None:
    asked = host(wanted(memory=1))
    assert "are free" in memory(asked)[0].what
    (asked.state / "run").mkdir(parents=True)
    (asked.state / "run" / "up.lock").write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:1"}))
    assert "are free" not in memory(asked)[0].what


def test_this_machines_cores() -> None:
    assert "core" in cores(Host(Path("/"), Path("/none")))[0].what


@pytest.mark.parametrize(("missing", "free", "level"), [(0, 300, "warning"), (10, 5000, "ok"), (10, 2000, "problem")])
def test_disk(missing: int, free: int, level: str) -> None:
    assert judge_disk("/data", missing, free).level == level


def test_only_environments_that_are_not_made_yet_count(wanted, host) -> None:
    one = wanted()
    asked = host(one)
    assert "about 200 MB" in disk(asked)[0].what
    environment = environment_of(Recipe(one.manifest.folder, running_sdk()), asked.state)
    (environment.path / "bin").mkdir(parents=True)
    environment.python.touch()
    (environment.path / ".nexus-complete").touch()
    assert "about" not in disk(asked)[0].what


def test_an_extra_that_is_not_there_breaks_nothing(wanted, host) -> None:
    assert "about 200 MB" in disk(host(wanted(extras=("none",))))[0].what
