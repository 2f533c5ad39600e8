"""Niceness where there are no autogroups, and where none is asked for; that it takes effect stands in test_serve."""

import os
from pathlib import Path

import pytest

from nexus.sdk import priority


def test_no_niceness_asked_for_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(priority, "AUTOGROUP", tmp_path / "autogroup")
    before = os.getpriority(os.PRIO_PROCESS, 0)
    priority.be_nice(0)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
    assert not (tmp_path / "autogroup").exists()


@pytest.mark.parametrize(("leader", "written"), [(True, "5"), (False, None)])
def test_the_session_is_made_nice_by_its_leader_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, leader: bool, written: str | None
) -> None:
    given: list[int] = []
    file = tmp_path / "autogroup"
    monkeypatch.setattr(priority, "AUTOGROUP", file)
    monkeypatch.setattr(os, "nice", given.append)
    monkeypatch.setattr(os, "getsid", lambda _: os.getpid() if leader else 1)
    priority.be_nice(5)
    assert given == [5]
    assert (file.read_text() if file.exists() else None) == written


def test_a_kernel_without_autogroups_is_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(priority, "AUTOGROUP", tmp_path / "gone" / "autogroup")
    monkeypatch.setattr(os, "nice", lambda _: None)
    monkeypatch.setattr(os, "getsid", lambda _: os.getpid())
    priority.be_nice(5)
