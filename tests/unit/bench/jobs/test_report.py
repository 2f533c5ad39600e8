"""The tables of a run."""

import json
from pathlib import Path

from rich.console import Console

from bench.jobs.asking import Timing
from bench.jobs.figures import Round, Subject
from bench.jobs.report import JobsReport, markdown, rows, show, write


def report() -> JobsReport:
    subject = Subject("stack", [Round([Timing(10, 20)] * 4, [Timing(12.5, 30)] * 4, [4, 5, 5, 4])], {"music": 2})
    return JobsReport("2026-01-02-0304", ["2 cores"], {"cpu": "x"}, [subject, Subject("not measured")])


def test_a_row_tells_both_times_their_ratio_and_the_noise() -> None:
    assert rows(report().subjects)[0] == ("stack: first token p50", "10.00", "12.50", "1.25x", "1.25x", "1.00x", "no")
    assert len(rows(report().subjects)) == 4


def test_markdown_has_the_table_and_what_the_jobs_did() -> None:
    text = markdown(report())
    assert "| stack: whole stream p95 | 20.00 | 30.00 | 1.50x |" in text
    assert "4.5 of ten jobs ran at the same time on average, 4 to 5" in text
    assert "Done and renewed: 2 music" in text


def test_both_files_are_written_with_every_sample(tmp_path: Path) -> None:
    as_json, as_markdown = write(report(), tmp_path / "new")
    assert as_markdown.read_text() == markdown(report())
    subject = json.loads(as_json.read_text())["subjects"][0]
    assert subject["first_token"]["p50"]["ratio"] == 1.25
    assert subject["rounds"][0]["running"] == [4, 5, 5, 4]


def test_the_table_is_shown() -> None:
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=160, file=nowhere)
        show(report(), console)
        assert "1.25x" in console.export_text()
