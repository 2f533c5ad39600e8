"""What an engine is given: a call that knows of its end and its progress, and names for events."""

import pytest

from nexus.sdk.engine import Call, Event, Model, Progress


@pytest.fixture
def call() -> Call:
    return Call("id", Model("m"), {})


def test_progress_stays_within_its_bounds(call: Call) -> None:
    assert call.progress == Progress(0.0, "")
    call.report(0.5, "x" * 500)
    assert call.progress == Progress(0.5, "x" * 200)
    call.report(-1)
    assert call.progress == Progress(0.0, "")
    call.report(2, "done")
    assert call.progress == Progress(1.0, "done")


def test_callbacks_are_called_once_unless_they_were_taken_back(call: Call) -> None:
    log: list[str] = []

    def back() -> None:
        log.append("back")

    call.on_cancel(lambda: log.append("first"))
    call.on_cancel(back)
    call.off_cancel(back)
    call.off_cancel(back)
    call.cancel()
    call.cancel()
    assert log == ["first"]
    call.on_cancel(lambda: log.append("late"))
    assert log == ["first", "late"]


@pytest.mark.parametrize("name", ["", "a\nb", "a\rdata: x", "a\u2028b"])
def test_an_events_name_is_one_line(name: str) -> None:
    with pytest.raises(ValueError, match="name of an event"):
        Event(name, {})
