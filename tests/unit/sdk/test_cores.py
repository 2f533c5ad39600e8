"""One core is left to others, where there is another; and no more is taken than a container's quota gives."""

import os
from pathlib import Path

import pytest

from nexus.sdk.cores import spare_cores


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return monkeypatch


def grouped(folder: Path, membership: str, **files: str) -> dict[str, Path]:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "membership").write_text(membership)
    return {"root": folder, "membership": folder / "membership"}


@pytest.mark.parametrize(("usable", "spare"), [(1, 1), (2, 1), (3, 2), (64, 63)])
def test_all_but_one_and_never_none(usable: int, spare: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(usable)), raising=False)
    groups = grouped(tmp_path, "")
    assert spare_cores(**groups) == spare
    assert spare_cores(4, **groups) == min(4, spare)


def test_where_a_process_has_no_cores_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for count, spare in ((None, 1), (8, 7)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert spare_cores(**grouped(tmp_path, "")) == spare


@pytest.mark.parametrize(
    ("quota", "spare"),
    [("50000", 1), ("100000", 1), ("150000", 2), ("200000", 2), ("410000", 5), ("6400000", 7), ("max", 7)],
)
def test_a_quota_of_version_2_rounded_up(machine, tmp_path: Path, quota: str, spare: int) -> None:
    groups = grouped(tmp_path, "0::/\n", **{"cpu.max": f"{quota} 100000\n"})
    assert spare_cores(**groups) == spare
    assert spare_cores(2, **groups) == min(2, spare)


@pytest.mark.parametrize(("quota", "spare"), [("25000", 1), ("250000", 3), ("-1", 7)])
def test_a_quota_of_version_1_rounded_up(machine, tmp_path: Path, quota: str, spare: int) -> None:
    files = {"cpu__cpu.cfs_quota_us": f"{quota}\n", "cpu__cpu.cfs_period_us": "100000\n"}
    assert spare_cores(**grouped(tmp_path, "3:cpu,cpuacct:/docker/f00\n", **files)) == spare
