"""Fetching a model's file once: streamed, resumed where it broke off, and accepted only if its SHA-256 is right."""

import errno
import hashlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx

from nexus.sdk.problems import ModelError

ATTEMPTS: Final = 3
_TIMEOUT: Final = httpx.Timeout(60, connect=10)


def fetch(url: str, sha256: str, cache: Path, stop: threading.Event, pause: float = 2.0) -> Path:
    """The file behind `url`, in `cache` under its digest; fetched unless it is there. Blocks; ends early on `stop`.

    What broke off is tried again, ATTEMPTS times in all, `pause` seconds apart, and goes on where it stopped. A file
    is under its final name only when it is whole and verified. Raises ModelError.
    """
    target = cache / sha256 / _file_name(url)
    if target.is_file():
        return target
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.with_name(f"{target.name}.lock")):
            if not target.is_file():
                _fetch_to(part, url, stop, pause)
                _accept(part, target, url, sha256)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            part.unlink(missing_ok=True)
        raise ModelError(f"{url}: cannot be kept under {cache}: {error.strerror or error}") from error
    return target


def _fetch_to(part: Path, url: str, stop: threading.Event, pause: float) -> None:
    for attempt in range(ATTEMPTS):
        if attempt and stop.wait(pause * attempt):
            break
        try:
            _continue(part, url, stop)
        except httpx.HTTPStatusError as error:
            raise ModelError(f"{url}: answered {error.response.status_code}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
        else:
            return
    raise ModelError(f"{url}: cannot be fetched: {'stopped' if stop.is_set() else reason}")


def _continue(part: Path, url: str, stop: threading.Event) -> None:
    """Fetch what `part` lacks. A server that cannot resume sends all again."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"accept-encoding": "identity", **({"range": f"bytes={have}-"} if have else {})}
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT) as response:
        if have and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is lacking, or what is there is of another file: the digest tells
        response.raise_for_status()
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        with part.open("ab" if resumed else "wb") as stream:
            for chunk in response.iter_bytes():
                if stop.is_set():
                    raise ModelError(f"{url}: the fetch was stopped")
                stream.write(chunk)


def _accept(part: Path, target: Path, url: str, sha256: str) -> None:
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        part.unlink()
        raise ModelError(f"{url}: its sha256 is {found}, not {sha256}")
    part.replace(target)


def _file_name(url: str) -> str:
    """The last part of the URL's path, fit to be a file's name: engines go by its suffix."""
    name = Path(unquote(urlsplit(url).path)).name
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in name).lstrip(".") or "model"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the file lock, so that two services that share a cache do not fetch the same file into each other."""
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415 - not on every platform

    with lock.open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
