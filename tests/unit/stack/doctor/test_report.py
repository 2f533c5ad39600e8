"""Findings for people and for programs."""

import json

import pytest

from nexus.stack.doctor.report import as_json, as_text, worst
from nexus.stack.doctor.values import Finding

FOUND = [
    Finding("ok", "fine", check="python"),
    Finding("problem", "taken", "free it", "gateway"),
    Finding("ok", "fine too", check="gpu"),
]


@pytest.mark.parametrize(
    ("levels", "expected"), [((), "ok"), (("ok", "warning"), "warning"), (("problem", "warning"), "problem")]
)
def test_the_worst(levels: tuple[str, ...], expected: str) -> None:
    assert worst([Finding(level, "x") for level in levels]) == expected  # type: ignore[arg-type]


def test_lines_for_people() -> None:
    lines = as_text(FOUND).splitlines()
    assert len(lines) == 6
    assert "gateway     taken" in lines[1]
    assert lines[2].strip() == "→ free it"
    assert lines[-1] == "2 ok, 0 warnings, 1 problem"


def test_json_for_programs() -> None:
    told = json.loads(as_json(FOUND))
    assert (told["status"], told["counts"]) == ("problem", {"ok": 2, "warning": 0, "problem": 1})
    assert told["findings"][1] == {"check": "gateway", "level": "problem", "what": "taken", "todo": "free it"}
