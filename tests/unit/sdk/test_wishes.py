"""What folders ask for, and what makes a wish another one."""

from pathlib import Path

from nexus.sdk.wishes import Wish, Wishes, scan_wishes


def scan(folder: Path, before: Wishes | None = None) -> tuple[Wishes, list[str]]:
    wishes, problems = scan_wishes((folder, folder / "shared"), ("completions",), before or {}, "s")
    return wishes, [problem.key for problem in problems]


def test_empty_folders_ask_for_the_implicit_model(tmp_path: Path) -> None:
    assert scan(tmp_path) == ({"s": Wish()}, [])
    (tmp_path / "a.toml").write_text("id = 1")
    assert scan(tmp_path) == ({}, ["id"])


def test_a_wish_changes_with_its_entry_and_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('id = "a"\n[source]\npath = "weights"')
    first, _ = scan(tmp_path)
    assert first == scan(tmp_path)[0]
    assert first["a"].stamp is None
    (tmp_path / "weights").write_bytes(b"1")
    second, _ = scan(tmp_path)
    assert (second["a"].entry, second["a"] == first["a"]) == (first["a"].entry, False)
    (tmp_path / "a.toml").write_text('id = "a"\n[options]\nx = 1')
    assert scan(tmp_path)[0]["a"].entry != second["a"].entry


def test_entries_of_other_services_are_a_fault_in_the_own_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "other.toml").write_text('id = "o"\noperations = ["embeddings"]')
    assert scan(tmp_path) == ({"s": Wish()}, [])
    (tmp_path / "stray.toml").write_text('id = "t"\noperations = ["embeddings"]')
    assert scan(tmp_path) == ({}, ["operations"])


def test_who_was_there_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('id = "a"')
    before, _ = scan(tmp_path)
    (tmp_path / "b.toml").write_text('id = "a"\n[options]\nx = 1')
    after, problems = scan(tmp_path, before)
    assert (after, problems) == (before, ["id"])
