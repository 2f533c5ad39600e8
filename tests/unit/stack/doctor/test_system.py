"""The machine itself, with what it might be given as arguments."""

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from nexus.stack.doctor.system import (
    clock,
    judge_clock,
    judge_files,
    judge_processes,
    judge_python,
    judge_watches,
    limits,
    nearest,
    python,
    state_folder,
)
from nexus.stack.doctor.values import Host

HOST = Host(Path("/"), Path("/none"))


def test_this_python_will_do() -> None:
    assert [one.level for one in python(HOST)] == ["ok"]


@pytest.mark.parametrize(("version", "wide", "level"), [((3, 11, 0), True, "ok"), ((3, 14, 1), True, "ok")])
def test_python_that_will_do(version: tuple[int, ...], wide: bool, level: str) -> None:
    assert judge_python(version, wide).level == level


@pytest.mark.parametrize(("version", "wide", "told"), [((3, 10, 9), True, "too old"), ((3, 12, 0), False, "32-bit")])
def test_python_that_will_not(version: tuple[int, ...], wide: bool, told: str) -> None:
    found = judge_python(version, wide)
    assert found.level == "problem"
    assert told in found.what
    assert found.todo


def test_a_state_folder_that_is_there_and_one_that_will_be(host: Callable[..., Host]) -> None:
    asked = host()
    assert state_folder(asked)[0].what.endswith("will be made")
    assert not asked.state.exists()
    asked.state.mkdir()
    assert state_folder(asked)[0].what.endswith("can be written")
    assert list(asked.state.iterdir()) == []


def test_a_file_in_the_place_of_the_state_folder(host: Callable[..., Host]) -> None:
    asked = host()
    asked.state.write_text("in the way")
    (found,) = state_folder(asked)
    assert found.level == "problem"
    assert "in the way" in found.what


def test_a_file_system_that_takes_nothing() -> None:
    """/proc takes no files, not even from root."""
    (found,) = state_folder(Host(Path("/proc"), Path("/proc/sys")))
    assert found.level == "problem"


def test_the_nearest_folder_there_is(tmp_path: Path) -> None:
    assert nearest(tmp_path / "a" / "b") == tmp_path
    assert nearest(tmp_path) == tmp_path


def test_this_clock_is_sane() -> None:
    (found,) = clock(HOST)
    assert found.level in ("ok", "warning")


def test_a_clock_before_nexus_was_installed() -> None:
    found = judge_clock(1_000_000.0, 2_000_000_000.0, None)
    assert found.level == "problem"
    assert "1970-01-12" in found.what


@pytest.mark.parametrize(("synchronised", "level"), [(True, "ok"), (None, "ok"), (False, "warning")])
def test_whether_a_clock_is_synchronised(synchronised: bool | None, level: str) -> None:
    assert judge_clock(2_000_000_000.0, 2_000_000_000.0, synchronised).level == level


def test_the_limit_on_files_is_this_process_own() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        found = limits(HOST)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (found.level, found.what) == ("warning", "only 300 open files are allowed: about 100 streams at once")


def test_limits_that_will_do() -> None:
    assert [one.level for one in judge_files(None) + judge_files(65536)] == ["ok", "ok"]
    assert judge_processes(None) == judge_processes(4096) == []
    assert judge_watches({"max_user_watches": 65536, "max_user_instances": None}) == []


def test_limits_that_are_low() -> None:
    assert judge_processes(100)[0].level == "warning"
    (found,) = judge_watches({"max_user_watches": 65536, "max_user_instances": 10})
    assert found.what == "fs.inotify.max_user_instances is only 10"
    assert "sysctl fs.inotify.max_user_instances=128" in found.todo
