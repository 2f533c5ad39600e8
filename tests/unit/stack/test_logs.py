"""Logs: whole on disk, readable on the terminal, and never a reason to stop."""

import json
from pathlib import Path

import pytest

from nexus.stack.logs import LogFile, Said, read_line


def test_a_json_line_becomes_event_and_fields() -> None:
    line = json.dumps({"ts": 12.5, "level": "WARNING", "event": "slow call", "ms": 1234.56789, "path": "/v1/x y"})
    assert read_line(line.encode(), now=0) == Said(12.5, "warning", 'slow call ms=1234.57 path="/v1/x y"')


def test_a_plain_line_stays_as_it_is() -> None:
    assert read_line(b"  llama: loaded\r", now=7) == Said(7, "info", "llama: loaded")


@pytest.mark.parametrize("line", [b"{", b'{"a": 1', b"[1]", b"{} {}"])
def test_what_is_not_a_json_object_is_plain(line: bytes) -> None:
    assert read_line(line, now=7).text == line.decode()


def test_a_line_cannot_steer_the_terminal() -> None:
    assert read_line(b"\x1b[2Jred\x1b]0;title\x07 \x9b1m", now=0).text == "red]0;title �1m"


def test_a_long_line_is_cut() -> None:
    assert len(read_line(b"x" * 100_000, now=0).text) == 2000


@pytest.mark.parametrize(("path", "routine"), [("/readyz", True), ("/metrics", True), ("/v1/chat/completions", False)])
def test_health_probes_are_routine(path: str, routine: bool) -> None:
    line = json.dumps({"event": "request", "method": "GET", "path": path})
    assert read_line(line.encode(), now=0).routine is routine


def test_a_log_file_holds_the_raw_bytes(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs" / "alpha.log")
    log.write(b"one\nt")
    log.write(b"wo\n")
    assert (tmp_path / "logs" / "alpha.log").read_bytes() == b"one\ntwo\n"
    log.close()


def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "alpha.log", limit=10)
    log.write(b"0123456789")
    log.write(b"new")
    log.close()
    assert (tmp_path / "alpha.log").read_bytes() == b"new"
    assert (tmp_path / "alpha.log.1").read_bytes() == b"0123456789"


def test_a_large_log_is_put_aside_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "alpha.log").write_bytes(b"x" * 11)
    log = LogFile(tmp_path / "alpha.log", limit=10)
    log.write(b"new")
    log.close()
    assert (tmp_path / "alpha.log").read_bytes() == b"new"


def test_a_log_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    log = LogFile(tmp_path / "logs" / "alpha.log")
    log.write(b"lost\n")
    (tmp_path / "logs").unlink()
    log.write(b"kept\n")
    log.close()
    assert (tmp_path / "logs" / "alpha.log").read_bytes() == b"kept\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_no_reason_to_stop() -> None:
    log = LogFile(Path("/dev/full"))
    log.write(b"lost\n")
    log.close()
