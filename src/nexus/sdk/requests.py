"""From a request's bytes to what the engine's method takes: a pydantic model, a dict or a form, as it is annotated."""

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.datastructures import FormData, Headers, QueryParams, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from nexus.contract.errors import INVALID_REQUEST, UNSUPPORTED_MEDIA_TYPE, ApiError
from nexus.contract.refusals import refusal
from nexus.sdk.engine import Form, Upload
from nexus.sdk.problems import ServiceError

MAX_FORM_PARTS: Final = 1000
_FORM_TYPE: Final = "multipart/form-data"
_Reader = Callable[[bytes, Mapping[str, str]], Any]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came: its whole body, its headers (lower-case names) and its query, for GET and DELETE."""

    method: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""


class _Named(msgspec.Struct):
    model: Any = None


@dataclass(frozen=True, slots=True)
class RequestType:
    """What one engine method takes: `kind` is a pydantic model's class, dict or Form; `form` says that a form will do
    as well as JSON.

    `schema` is the JSON Schema of the request, as far as the annotation tells; empty for a form alone.
    """

    kind: type[Any]
    schema: dict[str, Any]
    form: bool = False

    async def read(self, received: Received) -> tuple[Any, str | None]:
        """The request's value, and the model that it names. Raises ApiError (400, 415)."""
        if self.kind is Form or (self.form and _media_type(received.headers) == _FORM_TYPE):
            form = await _read_form(received)
            return form, form.fields.get("model")
        if received.method in ("GET", "DELETE"):
            fields = dict(QueryParams(received.query))
            return self._validated(msgspec.json.encode(fields)), fields.get("model")
        _expect_json(received.headers)
        return self._validated(received.body), _model_name(received.body)

    def _validated(self, body: bytes) -> Any:
        if not issubclass(self.kind, BaseModel):
            return _json_object(body)
        try:
            return self.kind.model_validate_json(body)
        except ValidationError as error:
            raise _refusal(error, body) from error


def request_type(method: Callable[..., Any]) -> RequestType:
    """What `method` (bound) takes, by the annotation of its first parameter. Raises ServiceError."""
    name = getattr(method, "__qualname__", repr(method))
    parameters = list(inspect.signature(method).parameters.values())
    if len(parameters) < 2:
        raise ServiceError(f"{name}: takes the request and the call")
    try:
        annotation = get_type_hints(method).get(parameters[0].name)
    except (NameError, TypeError) as error:
        raise ServiceError(f"{name}: the annotations cannot be read: {error}") from error
    kind, form = _kind(annotation)
    if not isinstance(kind, type) or not (kind in (dict, Form) or issubclass(kind, BaseModel)):
        wanted = "a pydantic model, dict[str, Any], Form, or Form and one of the others (Form | Model)"
        raise ServiceError(f"{name}: annotate {parameters[0].name!r} with {wanted}")
    return RequestType(kind, _schema(kind), form)


def _kind(annotation: Any) -> tuple[Any, bool]:
    """What JSON is read as (or Form, or what cannot be read at all), and whether `Form | it` was written."""
    form = False
    if get_origin(annotation) in (UnionType, Union):
        others = [member for member in get_args(annotation) if member is not Form]
        form = len(others) == 1 and len(get_args(annotation)) == 2
        annotation = others[0] if form else None
    return get_origin(annotation) or annotation, form


def _schema(kind: type[Any]) -> dict[str, Any]:
    if issubclass(kind, BaseModel):
        return kind.model_json_schema()
    return {} if kind is Form else {"type": "object"}


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _expect_json(headers: Mapping[str, str]) -> None:
    media_type = _media_type(headers)
    if media_type and media_type != "application/json" and not media_type.endswith("+json"):
        raise ApiError(UNSUPPORTED_MEDIA_TYPE, f"send application/json, not {media_type}")


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(INVALID_REQUEST, f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(INVALID_REQUEST, "the body is not a JSON object")
    return value


def _model_name(body: bytes) -> str | None:
    try:
        name = msgspec.json.decode(body, type=_Named).model
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(INVALID_REQUEST, f"the body is not valid JSON: {error}") from error
    if name is not None and not isinstance(name, str):
        raise ApiError(INVALID_REQUEST, "model: Input should be a valid string", param="model")
    return name


def _refusal(error: ValidationError, body: bytes) -> ApiError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return ApiError(INVALID_REQUEST, f"the body is not valid JSON: {first['msg']}")
    return refusal(error, from_json(body))


async def _read_form(received: Received) -> Form:
    media_type = _media_type(received.headers)
    if media_type != _FORM_TYPE:
        raise ApiError(UNSUPPORTED_MEDIA_TYPE, f"send {_FORM_TYPE}, not {media_type or 'an untyped body'}")

    async def whole() -> AsyncGenerator[bytes, None]:
        yield received.body

    parser = MultiPartParser(
        Headers(received.headers),
        whole(),
        max_files=MAX_FORM_PARTS,
        max_fields=MAX_FORM_PARTS,
        max_part_size=len(received.body) + 1,  # the body's own limit is the limit
    )
    try:
        data = await parser.parse()
    except (MultiPartException, KeyError) as error:
        reason = error.message if isinstance(error, MultiPartException) else "no boundary is given"
        raise ApiError(INVALID_REQUEST, f"the form cannot be read: {reason}") from error
    try:
        return await _form(data)
    finally:
        await data.close()


async def _form(data: FormData) -> Form:
    fields: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    uploads: dict[str, list[Upload]] = {}
    for key, value in data.multi_items():
        name = key.removesuffix("[]")
        if isinstance(value, UploadFile):
            media_type = value.content_type or "application/octet-stream"
            uploads.setdefault(name, []).append(Upload(value.filename or "", media_type, await value.read()))
        elif key.endswith("[]"):
            lists.setdefault(name, []).append(value)
        else:
            fields[name] = value
    return Form(
        fields,
        {name: tuple(values) for name, values in lists.items()},
        {name: files[-1] for name, files in uploads.items()},
        {name: tuple(files) for name, files in uploads.items()},
    )
