"""The state folder: whole files, secrets of one's own, one stack at a time."""

import stat
from pathlib import Path

import pytest

from nexus.stack.config import StackError
from nexus.stack.state import StateFolder, ensure_secret, only_one, read_json, write_atomically


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "file.json"
    write_atomically(file, "[1]")
    write_atomically(file, "[2]")
    assert read_json(file) == [2]
    assert [path.name for path in file.parent.iterdir()] == ["file.json"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("content", [None, b"{", b"\xff"])
def test_damaged_state_reads_as_none(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "file.json"
    if content is not None:
        file.write_bytes(content)
    assert read_json(file) is None


def test_a_secret_is_made_once_for_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "state" / "secret"
    secret = ensure_secret(file)
    assert len(secret) >= 32
    assert ensure_secret(file) == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_empty_secret_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    assert ensure_secret(tmp_path / "secret")


def test_a_second_holder_is_told_where_the_first_is(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with (
        only_one(state, "http://127.0.0.1:8800"),
        pytest.raises(StackError, match=r"already running here at http://127\.0\.0\.1:8800 \(process \d+\)"),
        only_one(state, "http://127.0.0.1:1"),
    ):
        pass
    with only_one(state, "http://127.0.0.1:1"):
        assert read_json(state.lock)["url"] == "http://127.0.0.1:1"


def test_a_lock_file_without_words_is_still_a_lock(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with only_one(state, "x"):
        state.lock.write_text("")
        with pytest.raises(StackError, match=r"^Nexus is already running here$"), only_one(state, "y"):
            pass
