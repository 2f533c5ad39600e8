"""SHA-256 of model files, remembered by path, size and time of change, so that a start need not read them again."""

import hashlib
from contextlib import suppress
from pathlib import Path

import msgspec


class _Remembered(msgspec.Struct, frozen=True):
    size: int
    mtime_ns: int
    sha256: str


def digest(path: Path, memory: Path) -> str:
    """`sha256:<hex>` of a file; of a folder, over the sorted names and digests of its files.

    `memory` is the folder where digests are remembered; where it cannot be written they are just computed again.
    """
    if path.is_file():
        return f"sha256:{_file_digest(path, memory)}"
    whole = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        whole.update(f"{file.relative_to(path).as_posix()}\0{_file_digest(file, memory)}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def _file_digest(file: Path, memory: Path) -> str:
    stat = file.stat()
    note = memory / f"{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:32]}.json"
    with suppress(OSError, msgspec.MsgspecError):
        known = msgspec.json.decode(note.read_bytes(), type=_Remembered)
        if (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return known.sha256
    found = _Remembered(stat.st_size, stat.st_mtime_ns, hash_file(file))
    with suppress(OSError):
        memory.mkdir(parents=True, exist_ok=True)
        replace_file(note, msgspec.json.encode(found))
    return found.sha256


def hash_file(file: Path) -> str:
    """The file's SHA-256, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def replace_file(file: Path, content: bytes) -> None:
    """Write a small file so that readers see the old or the new content, never a part."""
    fresh = file.with_name(f"{file.name}.{id(content):x}.new")
    try:
        fresh.write_bytes(content)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
