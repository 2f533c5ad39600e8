"""Findings as lines for people and as JSON for programs."""

import json
from collections.abc import Sequence
from typing import Final

import typer

from nexus.stack.doctor.values import Finding, Level

_COLOURS: Final[dict[Level, str]] = {"ok": "green", "warning": "yellow", "problem": "red"}
LEVELS: Final[tuple[Level, ...]] = ("ok", "warning", "problem")


def worst(findings: Sequence[Finding]) -> Level:
    """The gravest level that there is."""
    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")


def as_text(findings: Sequence[Finding]) -> str:
    """Two lines at most for each finding, and one that sums up; in colour (taken out where it cannot be shown)."""
    lines = []
    for finding in findings:
        level = typer.style(f"{finding.level:<8}", fg=_COLOURS[finding.level])
        lines.append(f"{level} {finding.check:<11} {finding.what}")
        if finding.todo:
            lines.append(f"{'':21}→ {finding.todo}")
    counts = _counts(findings)
    lines += ["", ", ".join(f"{counts[level]} {level if counts[level] == 1 else _PLURAL[level]}" for level in LEVELS)]
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> str:
    """`{"status", "counts", "findings": [{"check", "level", "what", "todo"}]}`."""
    rows = [{"check": one.check, "level": one.level, "what": one.what, "todo": one.todo} for one in findings]
    return json.dumps({"status": worst(findings), "counts": _counts(findings), "findings": rows}, indent=1)


_PLURAL: Final[dict[Level, str]] = {"ok": "ok", "warning": "warnings", "problem": "problems"}


def _counts(findings: Sequence[Finding]) -> dict[Level, int]:
    return {level: sum(finding.level == level for finding in findings) for level in LEVELS}
