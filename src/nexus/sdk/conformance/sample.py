"""A request made from its JSON Schema: from examples and defaults where it gives them, else invented."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

STANDARD: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "chat.completions": {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8},
        "completions": {"prompt": "Once upon a time", "max_tokens": 8},
        "responses": {"input": "Say hello.", "max_output_tokens": 16},
        "messages": {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8},
        "embeddings": {"input": "hello"},
        "rerank": {"query": "fruit", "documents": ["an apple", "a car"]},
        "moderations": {"input": "hello"},
        "images.generations": {"prompt": "a red apple"},
    }
)
"""Small requests that every service of these operations must take; `model` is added where the card gives one."""

_DEPTH: Final = 12
_WORD: Final = "hello"


@dataclass(frozen=True, slots=True)
class Sample:
    """A request's body; `invented` when a value in it is nothing but well-formed, so that it may rightly be refused."""

    body: dict[str, Any]
    invented: bool


def sample_of(operation: str, schema: Mapping[str, Any]) -> Sample:
    """A request for the operation: the standard one, else one made from the schema. Raises ValueError."""
    if operation in STANDARD:
        return Sample(dict(STANDARD[operation]), invented=False)
    if not schema:
        raise ValueError("it is empty")
    maker = _Maker(schema)
    value = maker.value(schema, 0, "request")
    if not isinstance(value, dict):
        raise ValueError("it is not an object's")  # noqa: TRY004 - the schema is wrong, not a type
    return Sample(value, maker.invented)


class _Maker:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self.invented = False

    def value(self, schema: Any, depth: int, where: str) -> Any:
        if depth > _DEPTH or not isinstance(schema, Mapping):
            raise ValueError(f"{where} is too deep")
        if "$ref" in schema:
            return self.value(self._referred(schema["$ref"]), depth + 1, where)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        for key in ("examples", "enum"):
            if schema.get(key):
                return schema[key][0]
        for key in ("anyOf", "oneOf", "allOf"):
            if key in schema:
                return self._first_of(schema[key], depth, where)
        return self._by_type(schema, depth, where)

    def _first_of(self, options: list[Any], depth: int, where: str) -> Any:
        reason = f"{where} has no option"
        for option in options:
            try:
                return self.value(option, depth + 1, where)
            except ValueError as error:
                reason = str(error)
        raise ValueError(reason)

    def _by_type(self, schema: Mapping[str, Any], depth: int, where: str) -> Any:
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            properties = schema.get("properties", {})
            wanted = [
                name for name in properties if name in schema.get("required", ()) or "examples" in properties[name]
            ]
            return {name: self.value(properties[name], depth + 1, name) for name in wanted}
        if kind == "array":
            count = max(1, schema.get("minItems", 0))
            return [self.value(schema.get("items", {}), depth + 1, where) for _ in range(count)]
        if kind == "null":
            return None
        self.invented = True
        if kind == "boolean":
            return False
        if kind in ("integer", "number"):
            return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
        if kind == "string" and not schema.keys() & {"pattern", "format", "contentEncoding"}:
            return _WORD.ljust(schema.get("minLength", 0), "o")
        raise ValueError(f"{where} has no example")

    def _referred(self, reference: str) -> Any:
        found: Any = self._root
        for part in reference.removeprefix("#/").split("/"):
            if not isinstance(found, Mapping) or part not in found:
                raise ValueError(f"{reference} leads nowhere")
            found = found[part]
        return found
