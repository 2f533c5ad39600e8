"""What the children say: kept as it came in one file each, and made readable for the terminal."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

_LIMIT_BYTES: Final = 16 * 1024 * 1024
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LONGEST: Final = 2000
_PROBED: Final = ("/health", "/readyz", "/metrics", "/v1/metadata")
_OWN_WORDS: Final = ("ts", "timestamp", "level", "event", "message", "msg")


class LogFile:
    """The raw log of one child. It becomes `NAME.log.1` once it is large.

    A log is never a reason to stop: while the file cannot be written (a full disk, a folder that was removed),
    what is said is lost, and each write tries anew.
    """

    def __init__(self, path: Path, limit: int = _LIMIT_BYTES) -> None:
        self._path = path
        self._limit = limit
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append bytes; they are in the file when this returns, if they can be."""
        try:
            file = self._open()
            file.write(data)
        except OSError:
            self.close()
            return
        self._size += len(data)

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        if self._file and self._size < self._limit:
            return self._file
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size >= self._limit:
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._file = self._path.open("ab", buffering=0)
        self._size = self._file.tell()
        return self._file


@dataclass(frozen=True, slots=True)
class Said:
    """One line of a child, readable: when (seconds since the epoch), how grave, and what.

    `routine` marks the record of a health probe: it comes every second or two and tells nothing.
    """

    ts: float
    level: str
    text: str
    routine: bool = False


def read_line(line: bytes, now: float) -> Said:
    """A line as a person reads it: of a JSON log object its event and fields, of any other line its plain text.

    `now` is the time of a line that tells none. Control characters are taken out: a log must not steer the terminal.
    """
    text = line.decode("utf-8", "replace").strip()
    fields = _json_object(text)
    if fields is None:
        return Said(now, "info", _plain(text))
    event = next((fields[word] for word in ("event", "message", "msg") if fields.get(word)), "")
    ts = fields.get("ts")
    rest = " ".join(f"{name}={_value(value)}" for name, value in fields.items() if name not in _OWN_WORDS)
    return Said(
        float(ts) if isinstance(ts, int | float) else now,
        str(fields.get("level", "info")).lower(),
        _plain(f"{event} {rest}".strip()),
        routine=fields.get("method") == "GET" and fields.get("path") in _PROBED,
    )


def clock(ts: float) -> str:
    """A time of day as the log shows it, in local time."""
    return time.strftime("%H:%M:%S", time.localtime(ts))


def _json_object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value if value and not re.search(r'[\s"=]', value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def _plain(text: str) -> str:
    text = _CONTROL.sub("", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
