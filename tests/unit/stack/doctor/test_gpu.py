"""What there is of GPUs, and whether it does for what is wanted."""

from pathlib import Path

import pytest

from nexus.stack.doctor.gpu import Need, Present, gpu, judge, look, needs, plugged
from nexus.stack.doctor.nvidia import Card

SMALL = Card("NVIDIA L4", 23034, "550")
LARGE = Card("NVIDIA H100", 81559, "550")


def levels(present: Present, *wanted: Need) -> list[str]:
    return [finding.level for finding in judge(present, wanted)]


def told(present: Present, *wanted: Need) -> str:
    return " | ".join(finding.what for finding in judge(present, wanted))


def test_nothing_there_and_nothing_needed() -> None:
    assert levels(Present()) == ["ok"]


def test_nothing_there_and_something_needed() -> None:
    assert levels(Present(), Need("painter", 1)) == ["problem"]
    assert "painter needs a GPU" in told(Present(), Need("painter", 1))


def test_a_gpu_that_is_large_enough_in_a_container() -> None:
    assert levels(Present(nvidia=(SMALL, LARGE), toolkit=True), Need("painter", 80000)) == ["ok", "ok"]


def test_a_gpu_that_is_too_small_and_no_toolkit() -> None:
    present = Present(nvidia=(SMALL,))
    assert levels(present, Need("painter", 80000)) == ["ok", "warning", "warning"]
    assert "container toolkit is missing" in told(present)
    assert "the largest GPU has 23034 MB" in told(present, Need("painter", 80000))


def test_a_card_without_a_driver() -> None:
    assert "no driver" in told(Present(plugged=frozenset({"nvidia"})))
    assert "no /dev/kfd" in told(Present(plugged=frozenset({"rocm"})))
    assert levels(Present(fault="GPU is lost"), Need("painter", 1)) == ["warning", "problem"]


@pytest.mark.parametrize(("kfd", "expected"), [(True, ["ok"]), (False, ["warning", "problem"])])
def test_rocm(kfd: bool, expected: list[str]) -> None:
    assert levels(Present(kfd=kfd), Need("painter", 1)) == expected


def test_metal_is_the_hosts_alone() -> None:
    assert levels(Present(metal=True), Need("painter", 1)) == ["ok"]
    assert "not in containers" in told(Present(metal=True))


def test_what_manifests_need(wanted, host) -> None:
    here = wanted("here", url="http://127.0.0.1:1234", engine=True)
    elsewhere = wanted("elsewhere", url="http://gpu-box:1234", engine=True)
    none = wanted("none", url="http://127.0.0.1:1234")
    assert [list(needs(one)) for one in (here, elsewhere, none)] == [[Need("here", 8000)], [], []]
    assert gpu(host(elsewhere, none))[0].level in ("ok", "warning")


def test_the_bus_tells_what_is_plugged_in(tmp_path: Path) -> None:
    devices = {"a": ("0x10de", "0x030200"), "b": ("0x1002", "0x010802"), "c": ("0x8086", "0x030000"), "d": None}
    for name, files in devices.items():
        (tmp_path / name).mkdir()
        if files:
            (tmp_path / name / "vendor").write_text(files[0] + "\n")
            (tmp_path / name / "class").write_text(files[1] + "\n")
    assert plugged(tmp_path) == {"nvidia"}
    assert plugged(tmp_path / "none") == frozenset()


def test_this_very_machine_can_be_looked_at() -> None:
    assert isinstance(look(), Present)
