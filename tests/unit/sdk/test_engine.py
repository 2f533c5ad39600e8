"""What an engine is given: a call that knows of its end and its progress, and names for events."""

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.videos import VideosRequest
from nexus.sdk.engine import Call, Event, Form, Model, Progress, Upload


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


def test_long_work_goes_on_while_somebody_waits(call: Call) -> None:
    call.go_on()
    call.cancel()
    with pytest.raises(ApiError, match="cancelled") as caught:
        call.go_on()
    assert caught.value.status == 503


def test_a_forms_texts_are_the_request_that_json_would_be() -> None:
    form = Form({"prompt": "x", "seed": "5", "input_reference[image_url]": "data:,x"}, {}, {})
    asked = form.validated(VideosRequest)
    assert asked == VideosRequest.model_validate(
        {"prompt": "x", "seed": 5, "input_reference": {"image_url": "data:,x"}}
    )
    with pytest.raises(ApiError) as caught:
        Form({"prompt": "x"}, {"seed": ("1", "2")}, {}).validated(VideosRequest)
    assert caught.value.param == "seed"


def test_a_forms_file_has_to_be_there_with_something_in_it() -> None:
    files = {"a": Upload("a.png", "image/png", b"x"), "b": Upload("b.png", "image/png", b"")}
    form = Form({"c": "text"}, {}, files)
    assert form.file("a").body == b"x"
    for name, reason in (("b", "empty"), ("c", "as a file")):
        with pytest.raises(ApiError, match=reason) as caught:
            form.file(name)
        assert (caught.value.status, caught.value.param) == (400, name)
