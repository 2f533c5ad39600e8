"""What a method takes is told by its annotation; what comes is read or refused accordingly."""

from typing import Any

import pytest
from pydantic import BaseModel

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatRequest
from nexus.sdk.engine import Call, Form
from nexus.sdk.problems import ServiceError
from nexus.sdk.requests import Received, request_type


class Part(BaseModel):
    content: str


class Ask(BaseModel):
    parts: list[Part] = []
    n: int = 1


class Methods:
    def model(self, request: Ask, call: Call) -> None: ...
    def chat(self, request: ChatRequest, call: Call) -> None: ...
    def anything(self, request: dict[str, Any], call: Call) -> None: ...
    def form(self, request: Form, call: Call) -> None: ...
    def either(self, request: Form | Ask, call: Call) -> None: ...
    def either_dict(self, request: dict[str, Any] | Form, call: Call) -> None: ...
    def two(self, request: Ask | ChatRequest, call: Call) -> None: ...
    def three(self, request: Form | Ask | ChatRequest, call: Call) -> None: ...
    def optional(self, request: Ask | None, call: Call) -> None: ...
    def bare(self, request, call) -> None: ...  # type: ignore[no-untyped-def]
    def odd(self, request: int, call: Call) -> None: ...
    def short(self, request: Ask) -> None: ...
    def unknown(self, request: "Gone", call: Call) -> None: ...  # type: ignore[name-defined]  # noqa: F821


METHODS = Methods()


def received(body: bytes, media_type: str = "application/json") -> Received:
    return Received("POST", {"content-type": media_type}, body)


async def refusal(method: Any, came: Received) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await request_type(method).read(came)
    return caught.value


async def test_a_models_request_is_validated_and_its_schema_known() -> None:
    kind = request_type(METHODS.model)
    assert kind.schema["properties"]["n"]["type"] == "integer"
    assert await kind.read(received(b'{"n": 2, "model": "m"}')) == (Ask(n=2), "m")
    assert await kind.read(received(b"{}", "")) == (Ask(), None)


async def test_a_dict_is_any_object() -> None:
    kind = request_type(METHODS.anything)
    assert kind.schema == {"type": "object"}
    assert await kind.read(received(b'{"a": [1]}', "application/vnd.x+json; charset=utf-8")) == ({"a": [1]}, None)


async def test_a_query_is_read_for_get() -> None:
    came = Received("GET", {}, b"", "n=5&model=m")
    assert await request_type(METHODS.model).read(came) == (Ask(n=5), "m")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'{"n": 1} x', b"\xff", b"[" * 100_000])
async def test_what_is_no_object_is_refused(body: bytes) -> None:
    for method in (METHODS.model, METHODS.anything):
        assert (await refusal(method, received(body))).status == 400


async def test_a_wrong_field_is_named_by_its_path() -> None:
    error = await refusal(METHODS.model, received(b'{"parts": [{"content": "a"}, {"content": 1}]}'))
    assert error.param == "parts[1].content"
    assert error.message.startswith("parts[1].content: ")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"model": "m", "messages": [{"role": "user", "content": 5}]}', "messages[0].content"),
        (b'{"model": "m", "messages": [{"role": "user"}]}', "messages[0].content"),
        (b'{"model": "m", "messages": [{"role": "oracle"}]}', "messages[0]"),
        (b'{"model": "m", "messages": []}', "messages"),
        (b'{"model": "m"}', "messages"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "stop": {}, "x": NaN}', "stop"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "stop": ["a", 5]}', "stop"),
    ],
)
async def test_a_path_names_fields_not_members_of_a_union(body: bytes, path: str) -> None:
    assert (await refusal(METHODS.chat, received(body))).param == path


async def test_a_form_is_fields_lists_and_files() -> None:
    body = (
        b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
        b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nlast\r\n'
        b'--x\r\ncontent-disposition: form-data; name="t[]"\r\n\r\n1\r\n'
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n\r\n\x00\x01\r\n--x--\r\n'
    )
    form, model = await request_type(METHODS.form).read(received(body, "multipart/form-data; boundary=x"))
    assert model == "last"
    assert form.lists == {"t": ("1",)}
    assert (form.files["file"].filename, form.files["file"].body) == ("a.bin", b"\x00\x01")


async def test_a_broken_form_is_refused() -> None:
    for media_type in ("multipart/form-data", "multipart/form-data; boundary=x"):
        assert (await refusal(METHODS.form, received(b"--y nonsense", media_type))).status == 400
    assert (await refusal(METHODS.form, received(b"{}"))).status == 415


async def test_a_form_or_json_is_read_as_what_it_is() -> None:
    form_body = b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--x--\r\n'
    kind = request_type(METHODS.either)
    assert kind.schema["properties"]["n"]["type"] == "integer"
    assert await kind.read(received(b'{"n": 2, "model": "m"}')) == (Ask(n=2), "m")
    form, model = await kind.read(received(form_body, "Multipart/Form-Data; boundary=x"))
    assert isinstance(form, Form)
    assert (dict(form.fields), model) == ({"model": "m"}, "m")
    assert (await refusal(METHODS.either, received(b'{"n": "x"}'))).param == "n"
    assert (await refusal(METHODS.either, received(b"n=1", "application/x-www-form-urlencoded"))).status == 415
    assert (await refusal(METHODS.either, received(b"--y", "multipart/form-data; boundary=x"))).status == 400
    assert await request_type(METHODS.either_dict).read(received(b'{"a": 1}')) == ({"a": 1}, None)


@pytest.mark.parametrize(
    "method",
    [
        METHODS.bare,
        METHODS.odd,
        METHODS.short,
        METHODS.unknown,
        METHODS.two,
        METHODS.three,
        METHODS.optional,
    ],
)
def test_methods_that_do_not_say_what_they_take_are_refused(method: Any) -> None:
    with pytest.raises(ServiceError):
        request_type(method)
