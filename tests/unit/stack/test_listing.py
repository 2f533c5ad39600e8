"""The stack file that the gateway reads."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nexus.contract.card import Card
from nexus.sdk.problems import ManifestError
from nexus.stack.listing import Listed, ListingFile, promised_card


def test_a_card_is_promised_from_the_manifest(tmp_path: Path, make_service: Callable[[Path], Path]) -> None:
    folder = make_service(tmp_path / "alpha")
    (folder / "models").mkdir()
    (folder / "models" / "m.toml").write_text('id = "own"\n')
    (tmp_path / "more" / "alpha").mkdir(parents=True)
    (tmp_path / "more" / "alpha" / "n.toml").write_text('id = "further"\n')
    card = promised_card(folder, tmp_path / "more", "alpha-1")
    assert (card.service.name, card.instance) == ("alpha", "alpha-1")
    assert [(model.id, model.state) for model in card.models] == [("own", "loading"), ("further", "loading")]


def test_a_manifest_that_cannot_be_read_promises_nothing(tmp_path: Path) -> None:
    with pytest.raises(ManifestError):
        promised_card(tmp_path, None)


def test_the_file_is_written_when_it_changes(tmp_path: Path, make_service: Callable[[Path], Path]) -> None:
    file, card = tmp_path / "run" / "stack.json", promised_card(make_service(tmp_path / "alpha"), None)
    listing = ListingFile(file)
    listing.write([Listed("http://127.0.0.1:1", card)])
    (entry,) = json.loads(file.read_text())["services"]
    assert entry["url"] == "http://127.0.0.1:1"
    assert Card.model_validate(entry["card"]).model_dump() == card.model_dump()
    before = file.stat().st_ino
    listing.write([Listed("http://127.0.0.1:1", card)])
    assert file.stat().st_ino == before
    listing.write([])
    assert json.loads(file.read_text()) == {"services": []}
