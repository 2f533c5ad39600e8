"""How far the parts of a stack have come."""

from rich.console import Console

from nexus.stack.progress import Phase, Row, change_line, table

ROW = Row("alpha", Phase.INSTALLING, "", began=100.0)


def test_the_time_stops_when_a_part_is_ready() -> None:
    ready = ROW.moved(Phase.LOADING, "", 102.0).moved(Phase.READY, "", 103.0)
    assert (ready.settled, ready.elapsed(200.0)) == (True, 3.0)


def test_the_time_starts_anew_when_a_part_moves_again() -> None:
    again = ROW.moved(Phase.READY, "", 103.0).moved(Phase.RESTARTING, "", 150.0)
    assert (again.settled, again.elapsed(151.0)) == (False, 1.0)


def test_a_change_is_one_line() -> None:
    assert change_line(ROW.moved(Phase.READY, "", 103.2), 110.0) == "alpha: ready (3.2 s)"
    assert change_line(ROW.moved(Phase.LOADING, "weights", 103.2), 110.0) == "alpha: loading: weights"


def test_the_lines_of_an_error_are_kept_together() -> None:
    assert change_line(ROW.moved(Phase.RESTARTING, "one\ntwo", 101.0), 101.0) == "alpha: restarting: one\n    two"


def test_the_table_shows_the_last_line_and_fits() -> None:
    console = Console(width=40, record=True, file=None, quiet=True)
    rows = [ROW.moved(Phase.FAILED, "first\nlast " + "x" * 200, 101.0)]
    with console.capture() as captured:
        console.print(table(rows, now=105.0))
    lines = captured.get().splitlines() or console.export_text().splitlines()
    assert all(len(line) <= 40 for line in lines)
