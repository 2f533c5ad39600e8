"""What the manifest folders ask for: one wish a model, comparable, so that a change of its entry or file is seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nexus.sdk.models import ModelEntry, scan_entries
from nexus.sdk.problems import ManifestError
from nexus.sdk.sources import local_path


@dataclass(frozen=True, slots=True)
class Wish:
    """One model that the folders ask for: its entry (None for the implicit model) and, for a local file, that file's
    size and time of change."""

    entry: ModelEntry | None = None
    stamp: tuple[int, int] | None = None


Wishes = dict[str, Wish]  # by the model's id, in the order of the folders


def scan_wishes(
    folders: tuple[Path, ...], operations: tuple[str, ...], before: Mapping[str, Wish], implicit: str
) -> tuple[Wishes, tuple[ManifestError, ...]]:
    """What the folders (the service's own first) ask of a service of these operations, and what in them is wrong.

    A model that was there `before` keeps its names against new entries. `implicit` is the id of the one model of
    folders that are empty.
    """
    scan = scan_entries(folders, {wish.entry.file for wish in before.values() if wish.entry})
    wishes = {entry.id: Wish(entry, _stamp(entry)) for entry in scan.entries if entry.serves(operations)}
    strays = tuple(
        ManifestError(entry.file, "operations", f"the service has none of {', '.join(entry.operations)}")
        for entry in scan.entries
        if entry.file.parent == folders[0] and not entry.serves(operations)
    )
    if not wishes and not scan.problems and not strays:
        wishes = {implicit: Wish()}
    return wishes, scan.problems + strays


def _stamp(entry: ModelEntry) -> tuple[int, int] | None:
    path = local_path(entry)
    try:
        stat = path.stat() if path else None
    except OSError:
        return None
    return (stat.st_size, stat.st_mtime_ns) if stat else None
