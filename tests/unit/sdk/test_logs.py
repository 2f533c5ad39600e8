"""Log lines are JSON objects, one a line, with the request's id."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from nexus.sdk import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, show = root.handlers[:], root.level, warnings.showwarning
    levels = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "asyncio", "uvicorn")}
    root.handlers = []
    text = io.StringIO()
    logs.configure(text)
    yield text
    logging.captureWarnings(False)
    warnings.showwarning = show
    root.handlers = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line(stream: io.StringIO) -> None:
    token = logs.request_id.set("abc")
    logging.getLogger("nexus.sdk.x").info("a model is %s", "ready", extra={"model": "m", "path": object})
    logs.request_id.reset(token)
    (line,) = lines(stream)
    assert isinstance(line["ts"], float)
    assert (line["level"], line["event"], line["request_id"]) == ("info", "a model is ready", "abc")
    assert line["model"] == "m"
    assert "logger" not in line


def test_half_characters_in_an_engines_words(stream: io.StringIO) -> None:
    logging.getLogger("nexus.sdk.x").info("failed", extra={"reason": "\ud800", "path": object})
    (line,) = lines(stream)
    assert line["reason"] == "\ufffd"


def test_a_fault_is_still_one_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("engine").exception("failed")
    logging.getLogger("uvicorn.error").info("not told")
    (line,) = lines(stream)
    assert "ValueError: two\nlines" in str(line["traceback"])
    assert line["logger"] == "engine"
    assert "request_id" not in line
