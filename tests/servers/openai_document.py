"""OpenAI's published OpenAPI document, to hold answers against; it lies beside the checkout, or the tests skip."""

import gzip
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DOCUMENT = Path(__file__).parents[3] / "shared" / "specs" / "openai-openapi.json.gz"
WHY_NOT = "OpenAI's published OpenAPI document is not beside this checkout"


def load_document() -> dict[str, Any]:
    """The document, its `nullable: true` turned into what JSON Schema knows."""
    document: dict[str, Any] = _without_nullable(json.loads(gzip.decompress(DOCUMENT.read_bytes())))
    # The document demands a count of cache writes that OpenAI itself leaves out of most answers.
    document["components"]["schemas"]["CompletionUsage"]["properties"]["prompt_tokens_details"].pop("required", None)
    return document


def complaints(document: dict[str, Any], name: str, value: Any) -> list[str]:
    """What keeps a value from being one of the schema `name`."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]


def _without_nullable(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _without_nullable(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain
