"""Files that installed packages hold. The packages are found, not imported: their code is not wanted."""

import importlib.util
from pathlib import Path


def package_folders(package: str) -> tuple[Path, ...]:
    """The folders of an installed package, of which it has one unless it is in parts. Raises FileNotFoundError."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    folders = tuple(Path(folder) for folder in (spec.submodule_search_locations or ())) if spec else ()
    if not folders:
        raise FileNotFoundError(f"the package {package} is not installed")
    return folders


def packaged(package: str, name: str) -> Path:
    """The file or folder `name` (its path inside the package). Raises FileNotFoundError."""
    for folder in package_folders(package):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"the package {package} has no {name}")


def part_of_model(what: str, name: str, folder: Path, package: str | None) -> Path:
    """A further file of the model in `folder`: there, or in the package where one is named. Raises FileNotFoundError,
    which says `what` is not there."""
    folders = (folder,) if package is None else package_folders(package)
    for place in folders:
        if (place / name).is_file():
            return place / name
    raise FileNotFoundError(f"no {what} at {folders[0] / name}")
