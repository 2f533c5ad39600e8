"""Which calls requests make, and which bodies are refused."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.contract.errors import ApiError
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.intake.body import read
from nexus.gateway.values import Call, Request
from tests.servers.calls import endpoint, make_request

OWN = Endpoint("greeter.greet", "POST", "/v1/greet")
SPEECH = endpoint("audio.speech")
TRANSCRIBE = endpoint("audio.transcriptions")
OCR = endpoint("ocr")
FORM = b"multipart/form-data; boundary=B"


def form(*fields: tuple[str, str]) -> bytes:
    parts = [f'--B\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    return "".join([*parts, "--B--\r\n"]).encode()


def refused(request: Request) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read(request)
    return caught.value


@pytest.mark.parametrize(
    ("body", "model", "stream"),
    [
        ({"model": "m"}, "m", False),
        ({"model": "m", "stream": True}, "m", True),
        ({"model": "m", "stream": False}, "m", False),
        ({"model": "m", "stream": None}, "m", False),
        ({"stream": True, "x": {"model": "inner"}, "model": "é\n\"'"}, "é\n\"'", True),
    ],
)
def test_model_and_stream_are_read_from_json(body: dict[str, Any], model: str, stream: bool) -> None:
    for text in (json.dumps(body), json.dumps(body, ensure_ascii=False, indent=2)):
        call = read(make_request(text.encode()))
        assert (call.model, call.stream, call.form_model_span) == (model, stream, None)


def test_the_body_stays_as_it_came() -> None:
    body = b' { "model" : "m",\n "big": 123456789012345678901234567890, "n": 1e400 } '
    assert read(make_request(body)).request.body is body


def test_of_a_key_that_is_given_twice_the_last_counts_as_for_services() -> None:
    assert read(make_request(b'{"model":"a","model":"b","mod\\u0065l":"c"}')).model == "c"


@pytest.mark.parametrize(
    "content_type",
    [b"application/json", b"Application/JSON", b"application/json; charset=utf-8", b"", b" application/json ;x",
     b"application/problem+json"],
)  # fmt: skip
def test_json_by_any_of_its_names(content_type: bytes) -> None:
    assert read(make_request(b'{"model":"m"}', content_type)).model == "m"


@pytest.mark.parametrize(
    ("at", "content_type", "wanted"),
    [
        (SPEECH, b"text/plain", "application/json, not the content type 'text/plain'"),
        (SPEECH, FORM, "application/json, not the content type 'multipart/form-data; boundary=B'"),
        (TRANSCRIBE, b"application/json", "multipart/form-data, not"),
        (TRANSCRIBE, b"", "multipart/form-data, not the content type 'none'"),
        (OCR, b"\xff\xfe", "application/json or multipart/form-data, not the content type 'ÿþ'"),
    ],
)
def test_other_content_types_are_415_and_say_what_is_taken(at: Endpoint, content_type: bytes, wanted: str) -> None:
    error = refused(make_request(b"{}", content_type, at=at))
    assert (error.status, error.code) == (415, "unsupported_media_type")
    assert error.message.startswith(f"{at.path} takes {wanted}")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"model":"m"', b'{"model":"m"}}', b"\xef\xbb\xbf{}", b'{"model":"m",}', b"{'model':'m'}", b"\xff",
     b'{"model":"\\ud800"}', b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"model":"m","x":NaN}'],
    ids=repr,
)  # fmt: skip
def test_what_is_not_json_is_400(body: bytes) -> None:
    error = refused(make_request(body))
    assert (error.status, error.code, error.param) == (400, "invalid_request_error", None)
    assert error.message.startswith("The body is not valid JSON: ")


@pytest.mark.parametrize(
    ("body", "param", "told"),
    [
        (b'{"model":7}', "model", "model: Expected `str | null`, got `int`."),
        (b'{"model":["m"]}', "model", "model: Expected"),
        (b'{"model":"m","stream":"yes"}', "stream", "stream: Expected `bool | null`"),
        (b'{"model":"m","stream":1}', "stream", "stream: Expected"),
        (b"[]", None, "The body: Expected `object`, got `array`."),
        (b'"m"', None, "The body: Expected `object`"),
        (b"null", None, "The body: Expected `object`"),
        (b'{"model":""}', "model", "The model's name is empty."),
        (b'{"model":"' + b"m" * 257 + b'"}', "model", "The model's name is longer than 256 characters."),
    ],
)
def test_fields_of_another_shape_are_400_and_named(body: bytes, param: str | None, told: str) -> None:
    error = refused(make_request(body))
    assert (error.status, error.param) == (400, param)
    assert error.message.startswith(told)


@pytest.mark.parametrize("body", [b"{}", b'{"model":null}', b'{"Model":"m"}'])
def test_a_model_must_be_named_where_one_is_needed(body: bytes) -> None:
    error = refused(make_request(body))
    assert (error.status, error.code, error.param) == (400, "missing_model", "model")
    assert read(make_request(body, at=OCR)).model is None


def test_an_empty_name_is_refused_also_where_none_is_needed() -> None:
    assert refused(make_request(b'{"model":""}', at=OCR)).param == "model"
    assert refused(make_request(form(("model", "")), FORM, at=OCR)).param == "model"


@pytest.mark.parametrize(
    ("fields", "model", "stream"),
    [
        ([("model", "m")], "m", False),
        ([("model", "m"), ("stream", "true")], "m", True),
        ([("stream", "1"), ("model", "m")], "m", True),
        ([("stream", "True"), ("model", "m")], "m", True),
        ([("stream", "false"), ("model", "m")], "m", False),
        ([("stream", ""), ("model", "m")], "m", False),
    ],
)
def test_model_and_stream_are_read_from_forms(fields: list[tuple[str, str]], model: str, stream: bool) -> None:
    body = form(("file", "x" * 1000), *fields)
    call = read(make_request(body, FORM, at=TRANSCRIBE))
    assert (call.model, call.stream) == (model, stream)
    assert call.form_model_span is not None
    start, end = call.form_model_span
    assert body[start:end] == model.encode()


def test_a_form_without_a_model() -> None:
    assert refused(make_request(form(("file", "x")), FORM, at=TRANSCRIBE)).code == "missing_model"
    call = read(make_request(form(("file", "x")), FORM, at=OCR))
    assert (call.model, call.form_model_span) == (None, None)


@pytest.mark.parametrize(
    ("body", "content_type", "model"),
    [
        (b"", b"", None),
        (b"", b"application/json", None),
        (b'{"model":"m"}', b"application/json", "m"),
        (b'{"name":"x"}', b"application/json", None),
        (b'{"model":"m"}', b"", None),
        (b"\x00\xff", b"audio/wav", None),
        (form(("model", "m")), FORM, None),
    ],
)
def test_a_services_own_operation_takes_any_body(body: bytes, content_type: bytes, model: str | None) -> None:
    assert read(make_request(body, content_type, at=OWN)).model == model


def test_a_services_own_operation_that_says_json_must_send_it() -> None:
    assert refused(make_request(b"{", at=OWN)).status == 400


# --- calls that may be answered later

JSON_BODY = b'{"prompt":"x"%b}'
IMAGES = endpoint("images.generations")


def asked(extra: bytes = b"", prefer: bytes = b"", *, at: Endpoint = IMAGES, body: bytes | None = None) -> Request:
    """A request that may become a job; `extra` is written into its JSON."""
    form_body = body is not None
    request = make_request(body or JSON_BODY % extra, FORM if form_body else b"application/json", at=at)
    return msgspec.structs.replace(request, head=msgspec.structs.replace(request.head, prefer=prefer))


@pytest.mark.parametrize(
    ("extra", "prefer", "after"),
    [
        (b"", b"", None),
        (b',"background":true', b"", 0.0),
        (b',"background":false', b"", None),
        (b',"background":null', b"", None),
        (b',"background":true', b"wait=9", 0.0),
        (b"", b"wait=9", None),
        (b"", b"respond-async", 0.0),
        (b"", b"respond-async, wait=9", 9.0),
        (b',"background":true', b"respond-async, wait=9", 9.0),
        (b',"background":false', b"respond-async, wait=9", 9.0),
        (b',"stream":true', b"respond-async", None),
    ],
)
def test_a_call_becomes_a_job_where_its_client_says_so(extra: bytes, prefer: bytes, after: float | None) -> None:
    call = read(asked(extra, prefer))
    assert call.job_after == after
    assert b'"background":true' not in call.request.body


def test_a_key_that_is_no_text_is_the_clients_fault_where_the_wish_is_taken_out() -> None:
    assert refused(asked(b',"background":true,"\xff":1')).status == 400


def test_what_may_be_no_job_is_none_whatever_is_said() -> None:
    request = asked(b',"background":"perhaps","model":"m"', b"respond-async", at=endpoint("chat.completions"))
    assert read(request).job_after is None
    running = msgspec.structs.replace(IMAGES, job="running")
    assert read(asked(b',"background":true', b"respond-async", at=running)).job_after is None


@pytest.mark.parametrize("body", [None, form(("model", "m"), ("background", "true"), ("stream", "1"))])
def test_a_stream_in_the_background_is_refused(body: bytes | None) -> None:
    at = IMAGES if body is None else endpoint("images.edits")
    error = refused(asked(b',"stream":true,"background":true', at=at, body=body))
    assert (error.status, error.param) == (400, "background")


@pytest.mark.parametrize("value", [b'"true"', b"1", b"[]"])
def test_a_wish_of_another_shape_is_named(value: bytes) -> None:
    error = refused(asked(b',"background":%b' % value, at=endpoint("music.generations")))
    assert (error.status, error.param) == (400, "background")


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ([("background", "true")], 0.0),
        ([("background", "1")], 0.0),
        ([("background", "TRUE")], 0.0),
        ([("background", "false")], None),
        ([("background", "")], None),
        ([], None),
    ],
)
def test_forms_say_it_too(fields: list[tuple[str, str]], after: float | None) -> None:
    assert read(asked(at=TRANSCRIBE, body=form(("model", "m"), *fields))).job_after == after
    assert (
        read(asked(at=TRANSCRIBE, body=form(("model", "m"), *fields), prefer=b"respond-async, wait=3")).job_after == 3
    )


@pytest.mark.parametrize(
    ("extra", "wanted"),
    [
        (b"", False),
        (b',"response_format":"url"', True),
        (b',"response_format":"b64_json"', False),
        (b',"response_format":null', False),
        (b',"response_format":{"type":"url"}', False),
        (b',"response_format":"url","stream":true', False),
    ],
)
def test_urls_are_wanted_where_they_are_asked_for_and_nothing_streams(extra: bytes, wanted: bool) -> None:
    assert read(asked(extra)).wants_urls == wanted


def test_urls_are_wanted_by_forms_and_by_runs_of_jobs_too() -> None:
    body = form(("model", "m"), ("response_format", "url"))
    assert read(asked(at=endpoint("images.edits"), body=body)).wants_urls
    running = msgspec.structs.replace(IMAGES, job="running")
    assert read(asked(b',"response_format":"url"', at=running)).wants_urls
    chat = asked(b',"response_format":"url","model":"m"', at=endpoint("chat.completions"))
    assert not read(chat).wants_urls


def test_a_cards_operation_becomes_a_job_by_the_header_whatever_its_body() -> None:
    at = Endpoint("greeter.greet", "POST", "/v1/greet", job="wanted")
    request = make_request(b'{"background":true}', at=at)
    assert read(request).job_after == 0.0
    assert read(asked(prefer=b"respond-async, wait=2", at=at)).job_after == 2.0
    raw = make_request(b"\x00raw", b"audio/wav", at=at)
    raw = msgspec.structs.replace(raw, head=msgspec.structs.replace(raw.head, prefer=b"respond-async, wait=2"))
    assert read(raw).job_after == 2.0


CONTENT_TYPES = st.one_of(
    st.sampled_from([b"application/json", b"", FORM, b"multipart/form-data", b"text/plain"]),
    st.binary(max_size=40),
    st.binary(max_size=40).map(lambda tail: b"multipart/form-data; boundary=" + tail),
)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from([b'{"model":', b'"m"', b",", b'"stream":', b"true", b"}", b"\\ud8", b"1e9", b"\xff"])).map(
        b"".join
    ),
    st.lists(
        st.sampled_from([b"--B\r\n", b"--B--", b"\r\n", b"content-disposition:", b' form-data; name="model"', b"m"])
    ).map(b"".join),
)


@given(body=BODIES, content_type=CONTENT_TYPES, at=st.sampled_from([OWN, SPEECH, TRANSCRIBE, OCR]))
def test_whatever_comes_is_read_or_refused(body: bytes, content_type: bytes, at: Endpoint) -> None:
    try:
        assert isinstance(read(make_request(body, content_type, at=at)), Call)
    except ApiError as error:
        assert error.status in (400, 415)  # noqa: PT017 - either outcome is right
