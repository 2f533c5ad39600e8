"""From a manifest entry to an engine's model: its files found or fetched, its digest known."""

import threading
from pathlib import Path

from nexus.sdk.digests import digest
from nexus.sdk.download import fetch
from nexus.sdk.engine import Model
from nexus.sdk.models import ModelEntry, Source
from nexus.sdk.packages import package_folders
from nexus.sdk.problems import ModelError


def unresolved(entry: ModelEntry) -> Model:
    """The engine's model of an entry whose files were not looked for."""
    return Model(
        id=entry.id,
        aliases=entry.aliases,
        operations=entry.operations,
        context_length=entry.context_length,
        continuation=entry.continuation,
        memory_mb=entry.resources.memory_mb,
        vram_mb=entry.resources.vram_mb,
        licence=entry.licence,
        options=entry.options,
    )


def resolve(entry: ModelEntry, cache: Path, stop: threading.Event) -> tuple[Path | None, str | None]:
    """The path and the digest (`sha256:<hex>`) of an entry's files; None and None where it gives no source.

    Blocks while a file is fetched or hashed. Raises ModelError.
    """
    if entry.source is None:
        return None, None
    if entry.source.url is not None and entry.source.sha256 is not None:
        return fetch(entry.source.url, entry.source.sha256, cache, stop), f"sha256:{entry.source.sha256}"
    path = local_path(entry) if entry.source.path else _packaged(entry.source)
    if path is None or not path.exists():
        raise ModelError(f"{path}: is not there")
    try:
        return path, digest(path, cache / "digests")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def local_path(entry: ModelEntry) -> Path | None:
    """The path of an entry whose source is a path, as seen from the entry's own folder."""
    if entry.source is None or entry.source.path is None:
        return None
    return (entry.file.parent / entry.source.path.expanduser()).resolve()


def _packaged(source: Source) -> Path:
    """The one file or folder of an installed package; the package itself is not imported."""
    package, pattern = source.package or "", source.file or ""
    try:
        roots = package_folders(package)
    except FileNotFoundError as error:
        raise ModelError(str(error)) from error
    try:
        found = sorted({path.resolve() for root in roots for path in root.glob(pattern)})
    except (ValueError, NotImplementedError) as error:
        raise ModelError(f"{pattern!r} is not a pattern of files: {error}") from error
    if len(found) != 1:
        raise ModelError(f"{pattern!r} matches {len(found)} files of the package {package}, not one")
    return found[0]
