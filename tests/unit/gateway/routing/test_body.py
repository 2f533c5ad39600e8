"""The name of a model in bodies of each kind."""

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.intake.body import read
from nexus.gateway.intake.multipart import read_fields
from nexus.gateway.routing.body import is_json, rewritten, with_model, with_one_model
from nexus.gateway.values import Call
from tests.servers.calls import endpoint, make_call, make_request

FORM = b"multipart/form-data; boundary=xyz"
FILE = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nRIFF\r\n--xyz--\r\n'
MODEL = b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\nchat\r\n'
SPEECH = endpoint("audio.transcriptions")


def model_in_form(call: Call) -> str:
    """What a service reads, where the call says that it is."""
    body = call.request.body
    field = read_fields(FORM, body, (b"model",))[b"model"]
    assert field.span == call.form_model_span
    assert b"RIFF" in body
    return field.text


def test_json_gets_the_other_name_and_keeps_all_else() -> None:
    call = with_model(make_call("chat", b'{"model":"chat","n":1,"model":"chat"}'), "largé")
    assert (call.model, call.request.body.decode()) == ("largé", '{"model":"largé","n":1}')


def test_json_without_a_name_gets_one_where_the_operation_is_a_standard_one() -> None:
    call = with_model(make_call(None, b'{"prompt":"x"}', at=endpoint("images.generations")), "sd")
    assert (call.model, call.request.body) == ("sd", b'{"prompt":"x","model":"sd"}')
    own = make_call(None, b'{"prompt":"x"}', at=Endpoint("of.its.own", "POST", "/v1/x"))
    assert (with_model(own, "sd").model, with_model(own, "sd").request.body) == ("sd", b'{"prompt":"x"}')


@pytest.mark.parametrize("name", ["a-longer-name", "m"])
def test_a_form_gets_the_other_name_and_can_get_another_one_again(name: str) -> None:
    call = with_model(read(make_request(MODEL + FILE, FORM, at=SPEECH)), name)
    assert (call.model, model_in_form(call)) == (name, name)
    assert model_in_form(with_model(call, "third")) == "third"


def test_a_form_without_a_name_gets_one() -> None:
    call = make_call(None, FILE, content_type=FORM, at=endpoint("images.edits"))
    assert model_in_form(with_model(call, "sd")) == "sd"


def test_what_stands_twice_stands_once() -> None:
    assert rewritten(make_call("b", b'{"tools":[],"tools":[1]}')).request.body == b'{"tools":[1]}'
    assert with_one_model(make_call("b", b'{"model":"a","model":"b"}')).request.body == b'{"model":"b"}'
    form = make_call("m", FILE, content_type=FORM)
    assert rewritten(form) is form
    with pytest.raises(ApiError) as caught:
        rewritten(make_call("b", b'{"\xff":1}'))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("body", "kind", "is_one"),
    [(b"{}", b"", True), (b"{}", b"application/x+json", True), (b"x", b"audio/wav", False), (b"", b"", False)],
)
def test_what_is_taken_for_json(body: bytes, kind: bytes, is_one: bool) -> None:
    assert is_json(make_call("m", body, content_type=kind)) is is_one
