"""What a run tells: the table on the terminal, the same as Markdown, and every sample as JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.board import MEASURES, Board, Measure

_EMPTY = "-"


@dataclass(frozen=True, slots=True)
class Report:
    """A finished run. `head` are the lines about machine and method, `notes` what was skipped or went wrong."""

    date: str
    head: Sequence[str]
    notes: Sequence[str]
    machine: dict[str, Any]
    plan: dict[str, Any]
    board: Board


def cell(board: Board, subject: str, measure: Measure) -> str:
    """One figure with its ratio to nginx where the row has one."""
    value = board.figure(subject, measure.key)
    if value is None:
        return _EMPTY
    text = format(value, measure.form)
    part = board.relative(subject, measure)
    return text if part is None else f"{text} ({part:.2f}x)"


def rows(board: Board) -> list[tuple[str, ...]]:
    """Title and one cell a subject, for every measure that anyone has."""
    subjects = board.subjects()
    table = [(measure.title, *(cell(board, subject, measure) for subject in subjects)) for measure in MEASURES]
    return [row for row in table if any(text != _EMPTY for text in row[1:])]


def markdown(report: Report) -> str:
    """The whole report as a page."""
    subjects = report.board.subjects()
    lines = [f"# Bench, {report.date}", "", *(f"- {line}" for line in report.head), ""]
    lines += ["| | " + " | ".join(subjects) + " |", "|---|" + "---:|" * len(subjects)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(report.board)]
    if report.notes:
        lines += ["", "Notes", "", *(f"- {note}" for note in report.notes)]
    return "\n".join(lines) + "\n"


def show(report: Report, console: Console) -> None:
    """Print the table."""
    table = Table(title=f"Bench, {report.date} (medians; x = part of nginx)")
    table.add_column("")
    for subject in report.board.subjects():
        table.add_column(subject, justify="right")
    for row in rows(report.board):
        table.add_row(*row)
    for line in report.head:
        console.print(line, highlight=False, markup=False)
    console.print(table)
    for note in report.notes:
        console.print(f"note: {note}", highlight=False, markup=False)


def write(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write <date>.json and <date>.md; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "date": report.date,
        "machine": report.machine,
        "plan": report.plan,
        "head": list(report.head),
        "notes": list(report.notes),
        "subjects": report.board.as_dict(),
    }
    as_json, as_markdown = folder / f"{report.date}.json", folder / f"{report.date}.md"
    as_json.write_text(json.dumps(data, indent=1, default=str) + "\n", encoding="utf-8")
    as_markdown.write_text(markdown(report), encoding="utf-8")
    return as_json, as_markdown
