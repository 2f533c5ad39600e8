"""The tables of a run: on the terminal, as Markdown, and every sample as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.jobs.figures import QUANTILES, Compared, Subject

COLUMNS = ("", "without jobs, ms", "beside ten jobs, ms", "ratio", "middle of the rounds' ratios", "noise", "within it")

NOISE = (
    "noise: the largest ratio between two successive rounds without jobs; other core awake: compared with streams "
    "beside one loop of the least priority that does nothing, since a core that merely runs slows its neighbour"
)


@dataclass(frozen=True, slots=True)
class JobsReport:
    """A finished run. `head` are the lines about machine and method."""

    date: str
    head: Sequence[str]
    machine: dict[str, Any]
    subjects: Sequence[Subject]

    @property
    def name(self) -> str:
        return f"{self.date}-jobs"


def rows(subjects: Sequence[Subject]) -> list[tuple[str, ...]]:
    """One row for each stack, quantile and moment of a stream."""
    return [
        (f"{subject.name}: {what} {name}{than}", *cells(compared))
        for subject in subjects
        for whole, what in ((False, "first token"), (True, "whole stream"))
        for name, part in QUANTILES.items()
        for awake, than in ((False, ""), (True, ", other core awake"))
        if (compared := subject.compare(part, whole, awake)) is not None
    ]


def cells(compared: Compared) -> tuple[str, ...]:
    """The figures of a row."""
    return (
        f"{compared.alone_ms:.2f}",
        f"{compared.beside_ms:.2f}",
        *(f"{value:.2f}x" for value in (compared.ratio, compared.steady, compared.noise)),
        "yes" if compared.within_noise else "no",
    )


def told(subject: Subject) -> str:
    """What the jobs were doing meanwhile."""
    looks = [number for each in subject.rounds for number in each.running]
    ended = ", ".join(f"{count} {kind}" for kind, count in sorted(subject.ended.items())) or "none"
    return (
        f"{subject.name}: {subject.mean_running():.1f} of ten jobs ran at the same time on average, "
        f"{min(looks, default=0)} to {max(looks, default=0)}; the others waited their turn. Done and renewed: {ended}"
    )


def markdown(report: JobsReport) -> str:
    """The whole report as a page."""
    lines = [f"# Chat beside ten jobs, {report.date}", "", *(f"- {line}" for line in report.head)]
    lines += [*(f"- {told(subject)}" for subject in report.subjects), f"- {NOISE}", ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(report.subjects)]
    return "\n".join(lines) + "\n"


def show(report: JobsReport, console: Console) -> None:
    """Print the table."""
    table = Table(title=f"Chat beside ten jobs, {report.date}")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column else "left")
    for row in rows(report.subjects):
        table.add_row(*row)
    for line in (*report.head, *(told(subject) for subject in report.subjects), NOISE):
        console.print(line, highlight=False, markup=False)
    console.print(table)


def write(report: JobsReport, folder: Path) -> tuple[Path, Path]:
    """Write <date>-jobs.json and <date>-jobs.md; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "date": report.date,
        "machine": report.machine,
        "head": list(report.head),
        "subjects": [_as_dict(subject) for subject in report.subjects],
    }
    as_json, as_markdown = folder / f"{report.name}.json", folder / f"{report.name}.md"
    as_json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    as_markdown.write_text(markdown(report), encoding="utf-8")
    return as_json, as_markdown


def _as_dict(subject: Subject) -> dict[str, Any]:
    compared = {name: subject.compare(part) for name, part in QUANTILES.items()}
    compared |= {f"{name}_awake": subject.compare(part, awake=True) for name, part in QUANTILES.items()}
    figures = {name: asdict(one) for name, one in compared.items() if one is not None}
    return {"name": subject.name, "first_token": figures, "jobs_done": subject.ended, "rounds": _rounds(subject)}


def _rounds(subject: Subject) -> list[dict[str, Any]]:
    return [
        {
            "alone_first_ms": [round(one.first_ms, 3) for one in each.alone],
            "awake_first_ms": [round(one.first_ms, 3) for one in each.awake],
            "beside_first_ms": [round(one.first_ms, 3) for one in each.beside],
            "alone_whole_ms": [round(one.whole_ms, 3) for one in each.alone],
            "beside_whole_ms": [round(one.whole_ms, 3) for one in each.beside],
            "running": list(each.running),
        }
        for each in subject.rounds
    ]
