"""The tables of a run."""

import json
from pathlib import Path

from rich.console import Console

from bench.board import Board
from bench.report import Report, markdown, rows, show, write


def report() -> Report:
    board = Board()
    board.add("nginx", "requests", 20000.0)
    board.add("nexus", "requests", 10000.0)
    board.add("nexus", "p50", 1.25)
    return Report("2026-01-02-0304", ["core 0"], ["litellm: not here"], {"cpu": "x"}, {"rounds": 3}, board)


def test_rows_hold_only_what_somebody_has() -> None:
    table = rows(report().board)
    assert table == [
        ("small answers, requests/s", "20,000 (1.00x)", "10,000 (0.50x)"),
        ("… latency p50, ms", "-", "1.25"),
    ]


def test_markdown_has_the_table_and_the_notes() -> None:
    text = markdown(report())
    assert "| | nginx | nexus |\n|---|---:|---:|\n" in text
    assert "- litellm: not here" in text


def test_both_files_are_written(tmp_path: Path) -> None:
    as_json, as_markdown = write(report(), tmp_path / "new")
    assert as_markdown.read_text() == markdown(report())
    assert json.loads(as_json.read_text())["subjects"]["nexus"]["requests"]["ratio"] == 0.5


def test_the_table_is_shown() -> None:
    console = Console(record=True, width=120, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    show(report(), console)
    assert "0.50x" in console.export_text()
    console.file.close()
