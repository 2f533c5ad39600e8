"""The stack file that the gateway reads: where each service is, and what its manifest says that it will be."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nexus.contract.card import Card
from nexus.sdk.manifest import provisional_card, read_manifest
from nexus.sdk.models import manifest_folders, read_entries
from nexus.stack.state import write_atomically


@dataclass(frozen=True, slots=True)
class Listed:
    """One instance: its base URL and the card that it is expected to have."""

    url: str
    card: Card


def promised_card(folder: Path, models_dir: Path | None, instance: str = "") -> Card:
    """The card of a service that may not have been started yet. Raises ManifestError."""
    manifest = read_manifest(folder)
    entries = read_entries(manifest_folders(folder, manifest.name, models_dir))
    return provisional_card(manifest, entries, instance)


class ListingFile:
    """The file, written only when what it says changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: str | None = None

    def write(self, listed: Iterable[Listed]) -> None:
        """Say that these are the services. Raises OSError."""
        services = [{"url": one.url, "card": one.card.model_dump(mode="json")} for one in listed]
        text = json.dumps({"services": services}, indent=1) + "\n"
        if text != self._written:
            write_atomically(self._path, text)
            self._written = text
