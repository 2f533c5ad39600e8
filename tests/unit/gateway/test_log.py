import json
from pathlib import Path

from nexus.gateway.log import json_log


def test_an_event_is_one_line_of_json() -> None:
    lines: list[bytes] = []
    log = json_log(lines.append, clock=lambda: 12.5)
    log("info", "happened", path=Path("a/b"), reason="two\nlines")
    assert b"\n" not in lines[0]
    assert json.loads(lines[0]) == {
        "ts": 12.5,
        "level": "info",
        "event": "happened",
        "path": "a/b",
        "reason": "two\nlines",
    }
