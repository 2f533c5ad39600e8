"""The card's published JSON Schema is current, valid, and says what the card says."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from nexus.contract.schema import card_schema, main

PUBLISHED = Path(__file__).parents[3] / "docs" / "card.schema.json"


def test_the_published_schema_is_current() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == card_schema(), (
        "run: python -m nexus.contract.schema docs/card.schema.json"
    )


def test_it_is_a_valid_schema_that_takes_the_least_card_and_refuses_less() -> None:
    schema = json.loads(card_schema())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(
        {"schema_version": "v1", "service": {"name": "a"}, "capabilities": {"operations": ["ocr"]}, "more": 1}
    )
    assert not validator.is_valid({"schema_version": "v1", "service": {}})


def test_the_command_writes_a_file_or_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "card.json")]) == 0
    assert (tmp_path / "card.json").read_text(encoding="utf-8") == card_schema()
    assert main([]) == 0
    assert capsys.readouterr().out == card_schema()
    assert main(["a", "b"]) == 2
