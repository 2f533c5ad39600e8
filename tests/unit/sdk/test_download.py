"""Files are fetched once, resumed where they broke off, and accepted only when they are what was promised."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nexus.sdk.download import fetch
from nexus.sdk.problems import ModelError

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Files(ThreadingHTTPServer):
    """Serves CONTENT; `break_at` cuts that many answers short, `resumes` says whether ranges are understood."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.breaks = 0
        self.resumes = True
        self.ranges: list[str | None] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/models/small%20model.gguf?download=1"


class Handler(BaseHTTPRequestHandler):
    server: Files

    def do_GET(self) -> None:
        wanted = self.headers.get("range")
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.resumes else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(self.server.status if self.server.status != 200 else 206 if start else 200)
        self.send_header("content-length", str(len(CONTENT) - start))
        self.end_headers()
        rest = CONTENT[start:]
        if self.server.breaks:
            self.server.breaks -= 1
            rest = rest[: len(rest) // 2]
            self.close_connection = True
        self.wfile.write(rest)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def files() -> Iterator[Files]:
    with Files() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(files: Files, cache: Path, sha256: str = SHA256) -> Path:
    return fetch(files.url, sha256, cache, threading.Event(), pause=0)


def test_a_file_is_fetched_once_under_a_name_with_its_suffix(files: Files, tmp_path: Path) -> None:
    path = get(files, tmp_path)
    assert path.read_bytes() == CONTENT
    assert path == tmp_path / SHA256 / "small_model.gguf"
    assert get(files, tmp_path) == path
    assert files.ranges == [None]


def test_what_broke_off_is_resumed(files: Files, tmp_path: Path) -> None:
    files.breaks = 2
    assert get(files, tmp_path).read_bytes() == CONTENT
    assert files.ranges == [None, f"bytes={len(CONTENT) // 2}-", f"bytes={len(CONTENT) * 3 // 4}-"]


def test_a_server_that_cannot_resume_sends_all_again(files: Files, tmp_path: Path) -> None:
    files.breaks, files.resumes = 1, False
    assert get(files, tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_accepted(files: Files, tmp_path: Path) -> None:
    (tmp_path / SHA256).mkdir()
    (tmp_path / SHA256 / "small_model.gguf.part").write_bytes(CONTENT)
    assert get(files, tmp_path).read_bytes() == CONTENT


def test_it_gives_up_in_the_end_and_keeps_what_it_has(files: Files, tmp_path: Path) -> None:
    files.breaks = 3
    with pytest.raises(ModelError, match="cannot be fetched"):
        get(files, tmp_path)
    assert not (tmp_path / SHA256 / "small_model.gguf").exists()
    assert get(files, tmp_path).read_bytes() == CONTENT


def test_another_file_is_not_accepted(files: Files, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="its sha256 is"):
        get(files, tmp_path, "0" * 64)
    assert [file.name for file in (tmp_path / ("0" * 64)).iterdir()] == ["small_model.gguf.lock"]


def test_a_refusal_is_told(files: Files, tmp_path: Path) -> None:
    files.status = 404
    with pytest.raises(ModelError, match="answered 404"):
        get(files, tmp_path)


def test_it_ends_when_it_is_stopped(files: Files, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ModelError, match="stopped"):
        fetch(files.url, SHA256, tmp_path, stop)


def test_no_room_leaves_no_half_file(files: Files, tmp_path: Path) -> None:
    part = tmp_path / SHA256 / "small_model.gguf.part"
    part.parent.mkdir()
    part.symlink_to("/dev/full")
    with pytest.raises(ModelError, match="cannot be kept"):
        get(files, tmp_path)
    assert not part.is_symlink()


def test_a_cache_that_cannot_be_written_is_told(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be kept"):
        get(files, tmp_path / "file")
