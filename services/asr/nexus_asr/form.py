"""From a multipart form to a request and its recording's bytes, refused by the name of the field that is wrong."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.sdk.engine import Form

Request = TypeVar("Request", bound=BaseModel)
_LISTS = ("timestamp_granularities", "include")


def read_request(kind: type[Request], form: Form) -> Request:
    """The form's fields as a request of `kind`. An empty field counts as not given. Raises ApiError (400)."""
    single = {name: (text,) if name in _LISTS else text for name, text in form.fields.items() if text.strip()}
    lists = {name: tuple(text for text in texts if text) for name, texts in form.lists.items() if name in _LISTS}
    try:
        return kind.model_validate({**single, **lists}, strict=False)  # a form's values are strings
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else None
        raise ApiError(INVALID_REQUEST, f"{name}: {first['msg']}", param=name) from error


def recording(form: Form) -> bytes:
    """The bytes of the uploaded recording. Raises ApiError (400) where there is none, or nothing in it."""
    upload = form.files.get("file")
    if upload is None:
        raise ApiError(INVALID_REQUEST, "file: send the recording as a file of the form", param="file")
    if not upload.body:
        raise ApiError(INVALID_REQUEST, "file: the recording is empty", param="file")
    return upload.body
