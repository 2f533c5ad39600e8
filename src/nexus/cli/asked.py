"""What the commands that ask the running gateway have in common: whom they ask, its pages, and words for people."""

import datetime
import json as jsons
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from nexus.cli.running import AskingError, RunningGateway, running_gateway

PAGE: Final = 1000
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@contextmanager
def asked_gateway() -> Iterator[RunningGateway]:
    """The running gateway; what goes wrong is one line and status 1."""
    try:
        yield running_gateway(os.environ, Path.cwd())
    except AskingError as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(1) from None


def all_of(gateway: RunningGateway, path: str) -> Iterator[dict[str, Any]]:
    """Everything of a list, page by page."""
    after = ""
    while True:
        page = gateway.ask("GET", f"{path}?limit={PAGE}{after}")
        yield from page["data"]
        if not page["has_more"]:
            return
        after = f"&after={page['last_id']}"


def say_json(value: Any) -> None:
    """For programs."""
    typer.echo(jsons.dumps(value, indent=2))


def say_columns(items: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    """A table for people."""
    rows = [tuple(columns), *(tuple(word(item, column) for column in columns) for item in items)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(columns))]
    for row in rows:
        typer.echo("  ".join(one.ljust(width) for one, width in zip(row, widths, strict=True)).rstrip())


def say_one(item: dict[str, Any], columns: Iterable[str]) -> None:
    """One thing for people, a line for each of these."""
    for column in columns:
        typer.echo(f"{column:<13} {word(item, column)}".rstrip())


def word(item: dict[str, Any], column: str) -> str:
    """A value for people: times in UTC, `-` for none."""
    value = item.get(column)
    if value is None or value == "":
        return "-"
    if column.endswith("_at"):
        return datetime.datetime.fromtimestamp(value, datetime.UTC).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
