"""Digests are right, remembered, and forgotten when the file changes."""

import hashlib
import os
from pathlib import Path

from nexus.sdk.digests import digest, hash_file, replace_file

HELLO = hashlib.sha256(b"hello").hexdigest()


def test_a_file_is_hashed_once(tmp_path: Path) -> None:
    file, memory = tmp_path / "model.bin", tmp_path / "memory"
    file.write_bytes(b"hello")
    assert digest(file, memory) == f"sha256:{HELLO}"
    stat = file.stat()
    file.write_bytes(b"jello")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert digest(file, memory) == f"sha256:{HELLO}"  # same size and time: not read again
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert digest(file, memory) == f"sha256:{hash_file(file)}" != f"sha256:{HELLO}"


def test_a_broken_memory_is_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"hello")
    digest(file, tmp_path / "memory")
    for note in (tmp_path / "memory").iterdir():
        note.write_bytes(b"{")
    assert digest(file, tmp_path / "memory") == f"sha256:{HELLO}"
    assert digest(file, file / "not-a-folder") == f"sha256:{HELLO}"


def test_a_folders_digest_is_of_its_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(b"1")
    (folder / "sub" / "b").write_bytes(b"2")
    first = digest(folder, tmp_path / "memory")
    assert digest(folder, tmp_path / "memory") == first
    (folder / "sub" / "b").rename(folder / "sub" / "c")
    assert digest(folder, tmp_path / "memory") != first


def test_replacing_leaves_no_trace(tmp_path: Path) -> None:
    replace_file(tmp_path / "a", b"1")
    replace_file(tmp_path / "a", b"2")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a", b"2")]
