"""The text fields of a multipart form as the request that JSON would have made of them.

What JSON nests, OpenAI's clients write with brackets: `name[]` once for each item of a list, `name[part]` for a part of
an object. What is no text, clients write as text: `3`, `true`, and lists and objects also as JSON.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from nexus.contract.refusals import refusal

Request = TypeVar("Request", bound=BaseModel)
_NOTHING: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})
_NESTED: Final = re.compile(r"[^\[\]]+(?:\[[^\[\]]+\])+")


def read_form(kind: type[Request], fields: Mapping[str, str], lists: Mapping[str, Sequence[str]] = _NOTHING) -> Request:
    """The request of a form's `fields`, and of its `lists`: those written `name[]`, by the name without the brackets.

    A field left empty counts as not given, unless the request has to have it. Raises ApiError (400) that names the
    field as it would be named in JSON.
    """
    whole: dict[str, Any] = {name: text for name, text in fields.items() if text.strip() or _required(kind, name)}
    for name, texts in lists.items():
        if items := [text for text in texts if text.strip()]:
            whole[name] = items
    given = {name: _read(value, set(_kinds(kind, name))) for name, value in _nested(whole).items()}
    try:
        return kind.model_validate(given, strict=False)  # a number is written as text, and nothing else is bent
    except ValidationError as error:
        raise refusal(error, given) from error


def _required(kind: type[BaseModel], name: str) -> bool:
    field = kind.model_fields.get(name)
    return field is not None and field.is_required()


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """What is named `a[b]` as the part `b` of an object `a`; a name that is none of this kind stays as it is."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *way, last = re.split(r"[\[\]]+", name.rstrip("]")) if _NESTED.fullmatch(name) else [name]
        place = tree
        for part in way:
            deeper = place.get(part)
            if not isinstance(deeper, dict):
                deeper = place[part] = {}
            place = deeper
        place[last] = value
    return tree


def _kinds(kind: type[BaseModel], name: str) -> Iterator[type[Any]]:
    """The types that a field takes: `str` and `tuple` for `str | tuple[int, ...] | None`."""
    field = kind.model_fields.get(name)
    return iter(()) if field is None else _members(field.annotation)


def _members(annotation: Any) -> Iterator[type[Any]]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    elif isinstance(origin or annotation, type):
        yield origin or annotation


def _read(value: Any, kinds: set[type[Any]]) -> Any:
    """A text as what the field takes: JSON where it takes more than one value, and the one item of a list alone."""
    if not isinstance(value, str):
        return value
    if value.lstrip()[:1] in ("[", "{") and any(issubclass(one, tuple | list | dict | BaseModel) for one in kinds):
        with suppress(ValueError):  # it only looked like JSON
            return from_json(value)
    return [value] if kinds & {tuple, list} and str not in kinds else value
