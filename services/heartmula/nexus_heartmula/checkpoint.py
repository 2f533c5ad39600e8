"""The folder of weights, looked at before a worker is started for it: heartlib would say it after half a minute."""

from pathlib import Path
from typing import Final

_FILES: Final = ("tokenizer.json", "gen_config.json")


def checked(folder: Path, version: str) -> Path:
    """The folder itself. Raises FileNotFoundError that names what is missing, or the variable where none is given."""
    if folder == Path():
        raise FileNotFoundError("NEXUS_HEARTMULA_CHECKPOINT is not set: give the folder of HeartMuLa's weights")
    parts = (*_FILES, f"HeartMuLa-oss-{version}", "HeartCodec-oss")
    missing = [part for part in parts if not (folder / part).exists()]
    if missing:
        raise FileNotFoundError(f"{folder} has no {', '.join(missing)}")
    return folder
