"""The card's JSON Schema, written into the documentation: `python -m nexus.contract.schema docs/card.schema.json`."""

import json
import sys
from pathlib import Path

from nexus.contract.card import Card


def card_schema() -> str:
    """The JSON Schema (draft 2020-12) of the card as text, the same on every run."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Card.model_json_schema(),
        "title": "The card that a service serves at /v1/metadata",
    }
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the schema to the file named, or to standard output; the exit status."""
    paths = sys.argv[1:] if arguments is None else arguments
    if len(paths) > 1:
        sys.stderr.write("usage: python -m nexus.contract.schema [FILE]\n")
        return 2
    if paths:
        Path(paths[0]).write_text(card_schema(), encoding="utf-8")
    else:
        sys.stdout.write(card_schema())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
