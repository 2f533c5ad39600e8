"""JSON Schemas of chat requests looked at before an engine sees them, and what a model wrote held against them."""

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from nexus.contract.errors import INVALID_REQUEST, UPSTREAM_ERROR, ApiError

Schema = dict[str, Any]


def checked(schema: Mapping[str, Any], param: str) -> Schema:
    """The schema, if it is one. Raises ApiError (400)."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ApiError(INVALID_REQUEST, f"this is not a JSON Schema: {error.message}", param=param) from error
    return dict(schema)


def of_arguments(parameters: Mapping[str, Any] | None) -> Schema:
    """The schema of a tool's arguments: always of an object, and of an empty one where nothing more is said."""
    if not parameters:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    return {**parameters, "type": "object"}


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """What holds values against a schema, and fetches nothing: a `$ref` to elsewhere raises Unresolvable. By itself
    jsonschema goes to any address that a schema names."""
    return Draft202012Validator(schema, registry=Registry())


def fitting(text: str, schema: Schema, what: str, param: str) -> Any:
    """The value that a model wrote as `what`, held against the schema of `param` that it was to keep to.

    Raises ApiError: 502 where it is no JSON or does not fit, 400 where the schema refers to what is not there.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError(UPSTREAM_ERROR, f"{what} that the model wrote is not JSON") from error
    try:
        problem = best_match(validator(schema).iter_errors(value))
    except (Unresolvable, RecursionError) as error:
        raise ApiError(INVALID_REQUEST, "a reference in the schema leads nowhere", param=param) from error
    if isinstance(problem, ValidationError):
        raise ApiError(UPSTREAM_ERROR, f"{what} that the model wrote does not fit its schema: {problem.message[:200]}")
    return value
