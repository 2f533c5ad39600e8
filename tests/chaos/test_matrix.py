"""Every fault, in every setting, met by every operation: what comes of it is what `expected.py` says."""

from collections.abc import Mapping

import pytest

from tests.chaos import report
from tests.chaos.expected import SETTINGS, Cell, cells
from tests.chaos.matrix import Aftermath, Result, run_setting

CELLS = [cell for setting in SETTINGS for cell in cells(setting)]
pytestmark = pytest.mark.timeout(240)  # the first test of a setting runs all of it

Run = tuple[Mapping[Cell, Result], Aftermath]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Run]:
    """All settings, one after another; the table of docs/chaos.md is written from what came."""
    found: dict[str, Run] = {}
    for setting in SETTINGS:
        results, after = run_setting(setting, tmp_path_factory.mktemp(setting))
        found[setting] = {result.cell: result for result in results}, after
    words = {
        report.key(cell): cell.expected.words(cell.operation) if not result.complaints else "**not as it must be**"
        for results, _ in found.values()
        for cell, result in results.items()
    }
    report.PAGE.write_text(report.written(report.PAGE.read_text(), words))
    return found


@pytest.mark.parametrize("cell", CELLS, ids=[cell.model for cell in CELLS])
def test_a_fault_comes_to_what_the_table_says(runs: Mapping[str, Run], cell: Cell) -> None:
    assert runs[cell.setting][0][cell].complaints == []


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_gateway_is_well_afterwards_and_holds_nothing(runs: Mapping[str, Run], setting: str) -> None:
    assert runs[setting][1].complaints == ()
