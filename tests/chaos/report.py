"""Writes what came of each fault into docs/chaos.md: the same text whenever the outcomes are the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.chaos.expected import COLUMNS, SETTINGS, Cell, cells
from tests.chaos.faults import FAULTS

PAGE: Final = Path(__file__).parents[2] / "docs" / "chaos.md"
BEGIN: Final = "<!-- outcomes: written by the chaos suite -->\n"
END: Final = "<!-- end of outcomes -->\n"
_TOLD: Final = {
    "alone": "One instance has the model, nobody else can answer",
    "second": "A second, sound instance has the model too",
    "fallback": "nexus.yaml names a fallback model",
}

Words = Mapping[tuple[str, str, str], str]
"""(fault, setting, operation) → what the table says."""


def declared() -> Words:
    """What the table says if everything is as it must be."""
    return {key(cell): cell.expected.words(cell.operation) for setting in SETTINGS for cell in cells(setting)}


def key(cell: Cell) -> tuple[str, str, str]:
    return cell.fault, cell.setting, cell.operation


def outcomes(words: Words) -> str:
    """The tables, one a setting."""
    parts = []
    for setting in SETTINGS:
        parts += [f"**{_TOLD[setting]}**\n\n", _row("fault", *COLUMNS), _row(*["---"] * (1 + len(COLUMNS)))]
        for name, fault in FAULTS.items():
            columns = [words.get((name, setting, column), "-") for column in COLUMNS]
            if set(columns) != {"-"}:
                parts.append(_row(fault.told, *columns))
        parts.append("\n")
    return "".join(parts)


def written(page: str, words: Words) -> str:
    """The page with these outcomes in their place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{outcomes(words)}{END}{after}"


def _row(*columns: str) -> str:
    return f"| {' | '.join(columns)} |\n"
