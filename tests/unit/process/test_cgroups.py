"""Limits as the kernel writes them down, in trees of files laid out as those of real machines and containers."""

from pathlib import Path

import pytest

from nexus.process.cgroups import GroupLimits, read_limits

UNLIMITED = "9223372036854771712"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{text}\n")


def limits(tree: Path, *lines: str) -> GroupLimits:
    tree.mkdir(exist_ok=True)
    membership = tree.with_name("membership")
    membership.write_text("".join(f"{line}\n" for line in lines))
    return read_limits(tree, membership)


def test_version_2_in_a_container(tree: Path) -> None:
    write(tree, cpu_max="150000 100000", memory_max="536870912", pids_max="200")
    assert limits(tree, "0::/") == GroupLimits(1.5, 536870912, 200)


def test_version_2_without_a_limit(tree: Path) -> None:
    write(tree / "user.slice", cpu_max="max 100000", memory_max="max", pids_max="max")
    assert limits(tree, "0::/user.slice") == GroupLimits()


def test_the_smallest_limit_on_the_way_up_counts(tree: Path) -> None:
    write(tree / "a", cpu_max="200000 100000", memory_max="1000", pids_max="5")
    write(tree / "a" / "b", cpu_max="400000 100000", memory_max="max", pids_max="9")
    write(tree / "a" / "other", cpu_max="100 100000", memory_max="1", pids_max="1")
    assert limits(tree, "0::/a/b") == GroupLimits(2.0, 1000, 5)


def test_version_1_with_a_folder_for_each_controller(tree: Path) -> None:
    write(tree / "cpu,cpuacct" / "docker" / "f00", cpu_cfs_quota_us="50000", cpu_cfs_period_us="100000")
    write(tree / "memory" / "docker" / "f00", memory_limit_in_bytes="1048576")
    write(tree / "memory", memory_limit_in_bytes=UNLIMITED)
    write(tree / "pids", pids_max="max")
    lines = ("4:memory:/docker/f00", "3:cpu,cpuacct:/docker/f00", "2:pids:/", "1:name=systemd:/docker/f00")
    assert limits(tree, *lines) == GroupLimits(0.5, 1048576, None)


def test_version_1_in_a_container_whose_mount_begins_at_its_own_group(tree: Path) -> None:
    """There /proc/self/cgroup tells of the host's folders, which the container does not see."""
    write(tree / "cpu", cpu_cfs_quota_us="250000", cpu_cfs_period_us="100000")
    write(tree / "memory", memory_limit_in_bytes="4096")
    assert limits(tree, "1:cpu:/docker/f00", "2:memory:/docker/f00", "0::/") == GroupLimits(2.5, 4096, None)


def test_version_1_without_a_quota(tree: Path) -> None:
    write(tree / "cpu", cpu_cfs_quota_us="-1", cpu_cfs_period_us="100000")
    assert limits(tree, "1:cpu:/") == GroupLimits()


def test_a_path_that_leads_out_of_the_tree_is_not_followed(tree: Path) -> None:
    write(tree, cpu_max="100000 100000")
    write(tree.parent / "outside", cpu_max="1 100000")
    assert limits(tree, "0::/../outside").cores == 1.0


@pytest.mark.parametrize("text", ["", "0 0", "x 100000", "100000", "-5 100000", "1e5 100000"])
def test_what_cannot_be_read_is_no_limit(tree: Path, text: str) -> None:
    write(tree, cpu_max=text)
    assert limits(tree, "0::/", "nonsense", "").cores is None


def test_a_system_without_control_groups(tmp_path: Path) -> None:
    assert read_limits(tmp_path / "none", tmp_path / "neither") == GroupLimits()


def test_this_very_machine_can_be_read() -> None:
    found = read_limits()
    assert found.cores is None or found.cores > 0
    assert found.memory is None or found.memory > 0
