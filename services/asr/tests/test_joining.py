"""Weights in parts: joined once, verified, and never there by half."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from nexus_asr.joining import joined_folder
from nexus_asr.options import Joined, Part

WHOLE = b"first half, second half"
SHA256 = hashlib.sha256(WHOLE).hexdigest()
Packages = Callable[[str], Joined]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    """Two packages with half of a file each; the second has the model's other files too. Their code must not run."""
    for name, half in (("nexus_half_one", WHOLE[:11]), ("nexus_half_two", WHOLE[11:])):
        folder = tmp_path / name / "data"
        folder.mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('imported')")
        (folder / "model.part").write_bytes(half)
    (folder / "config.json").write_text("{}")
    monkeypatch.syspath_prepend(str(tmp_path))
    parts = tuple(Part(package=name, file="data/model.part") for name in ("nexus_half_one", "nexus_half_two"))
    return lambda sha256: Joined(file="model.bin", sha256=sha256, parts=parts)


def test_parts_are_joined_once(packages: Packages, tmp_path: Path) -> None:
    source, cache = tmp_path / "nexus_half_two" / "data", tmp_path / "cache"
    folder = joined_folder(source, "sha256:aa", packages(SHA256), cache)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"model.bin": WHOLE, "config.json": b"{}"}
    stamp = (folder / "model.bin").stat().st_mtime_ns
    (source / "model.part").unlink()
    assert joined_folder(source, "sha256:aa", packages(SHA256), cache) == folder
    assert (folder / "model.bin").stat().st_mtime_ns == stamp
    assert list(folder.parent.iterdir()) == [folder]


def test_another_version_of_the_package_is_another_folder(packages: Packages, tmp_path: Path) -> None:
    source, cache = tmp_path / "nexus_half_two" / "data", tmp_path / "cache"
    first = joined_folder(source, "sha256:aa", packages(SHA256), cache)
    (source / "config.json").write_text("{ }")
    second = joined_folder(source, "sha256:bb", packages(SHA256), cache)
    assert [(folder / "config.json").read_text() for folder in (first, second)] == ["{}", "{ }"]


def test_wrong_parts_leave_nothing_behind(packages: Packages, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(RuntimeError, match="sha256"):
        joined_folder(tmp_path / "nexus_half_two" / "data", "sha256:aa", packages("0" * 64), cache)
    assert list((cache / "joined").iterdir()) == []


def test_missing_parts_are_named(packages: Packages, tmp_path: Path) -> None:
    source = tmp_path / "nexus_half_two" / "data"
    (source / "model.part").unlink()
    with pytest.raises(FileNotFoundError, match=r"nexus_half_two has no data/model\.part"):
        joined_folder(source, "sha256:aa", packages(SHA256), tmp_path / "cache")
    absent = Joined(file="model.bin", sha256=SHA256, parts=(Part(package="nexus_no_such", file="x"),))
    with pytest.raises(FileNotFoundError, match="nexus_no_such is not installed"):
        joined_folder(source, "sha256:aa", absent, tmp_path / "cache")
