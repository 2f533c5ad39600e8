"""JSON Schemas of requests, looked at before Ollama makes grammars of them, and arguments held against them."""

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing.exceptions import Unresolvable

from nexus_ollama.errors import broken, invalid

Schema = dict[str, Any]


def checked(schema: Mapping[str, Any], param: str) -> Schema:
    """The schema, if it is one. Raises ApiError (400)."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise invalid(f"this is not a JSON Schema: {error.message}", param) from error
    return dict(schema)


def of_arguments(parameters: Mapping[str, Any] | None) -> Schema:
    """The schema of a tool's arguments: always of an object, and of an empty one where nothing more is said."""
    if not parameters:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    return {"type": "object", **parameters}


def fitting(text: str, schema: Schema) -> dict[str, Any]:
    """The object that a model wrote, held against the schema that it was to keep to. Raises ApiError (502)."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise broken("the model's arguments for the tool are not JSON") from error
    try:
        problem = best_match(Draft202012Validator(schema).iter_errors(value))
    except (Unresolvable, RecursionError) as error:
        raise invalid("a reference in the tool's schema leads nowhere", "tools") from error
    if isinstance(problem, ValidationError) or not isinstance(value, dict):
        raise broken("the model's arguments do not fit the tool's schema")
    return value
