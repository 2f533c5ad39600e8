"""The bytes that services get."""

import json
from math import inf
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from nexus.contract.errors import ApiError
from nexus.gateway.dispatch.message import body_for, head_for
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.intake.body import read
from nexus.gateway.upstream.address import Address
from nexus.gateway.values import Call
from tests.servers.calls import CHAT, endpoint, make_call, make_request, make_target
from tests.servers.cards import model

BOX = Address.of("http://box:8000")
FORM = b"multipart/form-data; boundary=B"


def rewritten(body: bytes, model: str = "own", **request: Any) -> bytes:
    """The body at an instance that knows the model as `model`."""
    return body_for(read(make_request(body, **request)), make_target(model=model))


def test_a_body_that_fits_is_the_clients_own() -> None:
    call = make_call("m", b' {"model" : "m"} ')
    assert body_for(call, make_target(model="m")) is call.request.body
    assert body_for(call, make_target(model=None)) is call.request.body
    nameless = make_call(None, b"anything")
    assert body_for(nameless, make_target(model="m")) is nameless.request.body


@pytest.mark.parametrize(
    "value",
    [b"1e400", b"-0.0", b"1.10", b"123456789012345678901234567890", b"0.1000000000000000055511151231257827",
     b'"\\u00e9\\ud83d\\ude00\\/"', '"é😀"'.encode(), b"[ 1,2 ,\t3 ]", b'{"a":1,"a":2}', b"null", b"true", b'"\x7f"'],
)  # fmt: skip
def test_with_another_model_name_every_other_value_keeps_its_bytes(value: bytes) -> None:
    body = b'{"x":%b,"model":"m","y":[%b]}' % (value, value)
    assert rewritten(body) == b'{"x":%b,"model":"own","y":[%b]}' % (value, value)


def test_only_the_outermost_model_is_another() -> None:
    assert rewritten(b'{"tools":[{"model":"m"}],"model":"m"}') == b'{"tools":[{"model":"m"}],"model":"own"}'


def test_a_key_that_was_given_twice_is_there_once_with_the_value_that_counted() -> None:
    body = b'{"model":"a","n":1,"model":"b","n":2}'
    assert json.loads(rewritten(body)) == json.loads(body) | {"model": "own"}
    assert rewritten(body).count(b'"model"') == 1


def test_a_model_name_is_written_as_json() -> None:
    assert json.loads(rewritten(b'{"model":"m"}', 'q"\\é')) == {"model": 'q"\\é'}


def test_a_key_that_is_no_text_is_the_clients_fault() -> None:
    with pytest.raises(ApiError) as caught:
        rewritten(b'{"\xff":1,"model":"m"}')
    assert caught.value.status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(fields=st.dictionaries(st.text(max_size=6), JSON, max_size=5), ascii_only=st.booleans())
def test_any_object_is_the_same_but_for_its_model(fields: dict[str, Any], ascii_only: bool) -> None:
    fields = {name: value for name, value in fields.items() if name not in ("model", "stream")} | {"model": "m"}
    body = json.dumps(fields, ensure_ascii=ascii_only).encode()
    assert list(json.loads(rewritten(body)).items()) == list({**fields, "model": "own"}.items())


@pytest.mark.parametrize(("continues", "body"), [(True, b'{"rest":1,"model":"own"}'), (False, b'{"model":"own"}')])
def test_only_a_model_that_continues_gets_the_body_for_it(continues: bool, body: bytes) -> None:
    call = msgspec.structs.replace(make_call("m", b'{"model":"m"}'), continued=b'{"rest":1,"model":"m"}')
    assert body_for(call, make_target(model="own", models=(model("own", continuation=continues),))) == body


def test_in_a_form_only_the_bytes_of_the_name_are_others() -> None:
    form = (
        b'--B\r\ncontent-disposition: form-data; name="file"; filename="model"\r\n\r\nm\r\n\x00model\xff\r\n'
        b"--B\r\ncontent-disposition: form-data; name=model\r\n\r\n%b\r\n--B--\r\n"
    )
    body = rewritten(form % b"m", "öwn-and-longer", content_type=FORM, at=endpoint("audio.transcriptions"))
    assert body == form % "öwn-and-longer".encode()


# --- heads


def lines_for(*headers: tuple[bytes, bytes], address: Address = BOX, length: int = 2, **request: Any) -> list[bytes]:
    head = head_for(make_call(headers=headers, **request), make_target(), address, length, inf)
    assert head.endswith(b"\r\n\r\n")
    return head.removesuffix(b"\r\n\r\n").split(b"\r\n")


def test_the_head_of_a_request() -> None:
    assert lines_for((b"content-type", b"application/json"), (b"x-own", b"\xe9")) == [
        b"POST /v1/chat/completions HTTP/1.1",
        b"host: box:8000",
        b"x-request-id: req-1",
        b"content-type: application/json",
        b"x-own: \xe9",
        b"content-length: 2",
    ]


@pytest.mark.parametrize(
    "name",
    [b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"te", b"trailer", b"upgrade",
     b"http2-settings", b"expect", b"proxy-authorization", b"proxy-connection", b"authorization", b"x-api-key",
     b"cookie", b"accept-encoding", b"x-request-id", b"x-nexus-timeout", b"x-nexus-deadline"],
)  # fmt: skip
def test_what_concerns_client_and_gateway_alone_stays_here(name: bytes) -> None:
    assert not [line for line in lines_for((name, b"FORBIDDEN")) if b"FORBIDDEN" in line]


@pytest.mark.parametrize("name", [b"traceparent", b"tracestate", b"accept", b"user-agent", b"openai-organization"])
def test_the_rest_goes_on(name: bytes) -> None:
    assert name + b": kept" in lines_for((name, b"kept"))


def test_a_field_that_came_twice_goes_on_twice() -> None:
    lines = lines_for((b"x-a", b"1"), (b"x-a", b"2"))
    assert [line for line in lines if line.startswith(b"x-a")] == [b"x-a: 1", b"x-a: 2"]


def test_query_and_prefix_are_part_of_the_target() -> None:
    lines = lines_for(query=b"a=1&b=%20\xe9", address=Address.of("https://box/engine"))
    assert lines[:2] == [b"POST /engine/v1/chat/completions?a=1&b=%20\xe9 HTTP/1.1", b"host: box"]


def test_a_get_without_a_body_says_nothing_of_one() -> None:
    page = Endpoint("service.page", "GET", "/health", service="svc")
    assert not [line for line in lines_for(at=page, length=0) if line.startswith(b"content-length")]
    assert b"content-length: 2" in lines_for(at=page)
    assert b"content-length: 0" in lines_for(at=CHAT, length=0)


def test_an_instances_own_credential_takes_the_place_of_the_clients() -> None:
    target = make_target(authorization="Bearer sk-instance")
    call = make_call(headers=[(b"authorization", b"Bearer sk-client")])
    lines = head_for(call, target, BOX, 2, inf).split(b"\r\n")
    assert [line for line in lines if line.startswith(b"authorization")] == [b"authorization: Bearer sk-instance"]


def test_the_service_is_told_when_nobody_waits_any_more() -> None:
    head = head_for(make_call(), make_target(), BOX, 2, 1_700_000_000.1234)
    assert b"\r\nx-nexus-deadline: 1700000000.123\r\n" in head


def test_what_is_kept_of_a_head_is_said_to_nobody_else() -> None:
    call, other_call = make_call(), make_call()
    one = make_target(authorization="Bearer sk-one")
    other = make_target(authorization="Bearer sk-other")
    box = Address.of("http://other-box:8000/engine")
    for _ in range(2):
        first = head_for(call, one, BOX, 2, inf)
        second = head_for(call, other, box, 2, inf)
        assert b"authorization: Bearer sk-one\r\n" in first
        assert b"host: box:8000\r\n" in first
        assert b"authorization: Bearer sk-other\r\n" in second
        assert second.startswith(b"POST /engine/v1/chat/completions HTTP/1.1\r\nhost: other-box:8000\r\n")
        assert b"sk-" not in head_for(other_call, make_target(), BOX, 2, inf)


def test_of_what_is_kept_each_request_has_its_own_id_length_and_time() -> None:
    request = make_call().request
    target = make_target()
    for identity, length, until in (("req-1", 2, 1.25), ("req-2", 30, 2.5), ("req-3", 0, inf)):
        call = Call(replace(request, request_id=identity), "m", False)
        lines = head_for(call, target, BOX, length, until).split(b"\r\n")
        assert f"x-request-id: {identity}".encode() in lines
        assert f"content-length: {length}".encode() in lines
        deadlines = [line for line in lines if line.startswith(b"x-nexus-deadline")]
        assert deadlines == ([] if until == inf else [f"x-nexus-deadline: {until:.3f}".encode()])


def test_a_head_made_from_another_says_what_it_says_itself() -> None:
    call, target = make_call(headers=[(b"x-own", b"1")]), make_target()
    assert b"x-own: 1\r\n" in head_for(call, target, BOX, 2, inf)
    request = replace(call.request, head=replace(call.request.head, lines=b"x-own: 2\r\n"))
    assert b"x-own: 2\r\n" in head_for(Call(request, "m", False), target, BOX, 2, inf)
