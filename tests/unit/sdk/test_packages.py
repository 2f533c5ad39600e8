"""Files of installed packages are found without importing them."""

import sys
from pathlib import Path

import pytest

from nexus.sdk.packages import package_folders, packaged, part_of_model


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that must not be imported, with one file."""
    folder = tmp_path / "site" / "nexus_found_not_run"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('was run')")
    (folder / "data" / "words.txt").write_text("packaged")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return folder.name


def test_a_packages_file(package: str) -> None:
    assert packaged(package, "data/words.txt").read_text() == "packaged"
    assert packaged(package, "data").is_dir()
    assert package not in sys.modules
    with pytest.raises(FileNotFoundError, match=rf"{package} has no data/other\.txt"):
        packaged(package, "data/other.txt")


def test_a_package_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("one", "two"):
        (tmp_path / part / "nexus_in_parts").mkdir(parents=True)
        (tmp_path / part / "nexus_in_parts" / f"{part}.txt").write_text(part)
        monkeypatch.syspath_prepend(str(tmp_path / part))
    assert len(package_folders("nexus_in_parts")) == 2
    assert packaged("nexus_in_parts", "one.txt").read_text() == "one"


@pytest.mark.parametrize("name", ["nexus_no_such", "nexus_no_such.part", "sys", ".", ""])
def test_what_is_no_package(name: str) -> None:
    with pytest.raises(FileNotFoundError, match="is not installed"):
        package_folders(name)


def test_a_further_file_of_a_model(package: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("beside")
    assert part_of_model("list", "words.txt", tmp_path, None).read_text() == "beside"
    assert part_of_model("list", "data/words.txt", tmp_path, package).read_text() == "packaged"
    for folder, name in ((tmp_path, None), (tmp_path / "site" / package, package)):
        with pytest.raises(FileNotFoundError, match=f"^no list of words at {folder / 'data'}$"):
            part_of_model("list of words", "data", tmp_path, name)
