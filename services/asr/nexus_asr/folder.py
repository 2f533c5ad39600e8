"""A folder of models, each a folder of CTranslate2's files: looked through again and again, so that what is put there
becomes a model, and what is taken away is none any more."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from nexus.sdk.engine import Found, Model
from nexus_asr.whisper import FILES


def found_models(
    folder: Path, wanted: Sequence[Model], loaded: Collection[str], options: Mapping[str, Any]
) -> list[Found]:
    """The models that manifest entries describe (`wanted`), and those of the folder that have none of their names.

    `loaded` are the ids of those in memory. A model of the folder is called as its own folder is, and has `options`
    for its `[options]`. Raises OSError.
    """
    described = [Found(model, _state(model.id, loaded)) for model in wanted]
    taken = {name for model in wanted for name in (model.id, *model.aliases)}
    paths = [path for path in sorted(folder.iterdir()) if path.name not in taken and (path / FILES[0]).is_file()]
    return described + [_found(path, loaded, options) for path in paths]


def _found(path: Path, loaded: Collection[str], options: Mapping[str, Any]) -> Found:
    megabytes = -(-(path / FILES[0]).stat().st_size // 1_000_000)
    model = Model(path.name, path=path, memory_mb=megabytes, options=options)
    missing = [name for name in FILES if not (path / name).is_file()]
    if missing:  # perhaps it is still being copied
        return Found(model, "failed", f"no {missing[0]} in {path}")
    return Found(model, _state(path.name, loaded))


def _state(name: str, loaded: Collection[str]) -> Literal["ready", "unloaded"]:
    return "ready" if name in loaded else "unloaded"
