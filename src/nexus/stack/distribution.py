"""The Nexus that is running, as something that can be installed into a service's environment."""

import base64
import hashlib
import json
import os
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import Distribution, PackagePath, distribution
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME: Final = "nexus-gateway"
_NOT_OF_THE_WHEEL: Final = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")


@dataclass(frozen=True, slots=True)
class Sdk:
    """What to install: an editable source tree (`checkout`), or else the installed package's files, packed again.

    `fingerprint` changes whenever an environment made with it has to be made anew.
    """

    checkout: Path | None
    fingerprint: str
    installed: Distribution

    def install_arguments(self, folder: Path) -> list[str]:
        """The arguments for `uv pip install`; a wheel is put under `folder` if one is needed. Raises OSError."""
        if self.checkout:
            return ["--editable", str(self.checkout)]
        return [str(pack_again(self.installed, folder / self.fingerprint[:12]))]


def running_sdk() -> Sdk:
    """How the Nexus of this interpreter was installed. Raises PackageNotFoundError where it was not."""
    installed = distribution(NAME)
    checkout = source_tree(installed.read_text("direct_url.json"))
    parts = [installed.version, *sorted(installed.requires or ()), str(checkout)]
    if checkout is None:
        parts.append(installed.read_text("RECORD") or "")
    return Sdk(checkout, hashlib.sha256("\n".join(parts).encode()).hexdigest(), installed)


def source_tree(direct_url: str | None) -> Path | None:
    """The folder of an editable installation, from its `direct_url.json` (PEP 610); None for any other."""
    if direct_url is None:
        return None
    record = json.loads(direct_url)
    parts = urlsplit(record.get("url", ""))
    if parts.scheme != "file" or not record.get("dir_info", {}).get("editable"):
        return None
    return Path(url2pathname(parts.path))


def pack_again(installed: Distribution, folder: Path) -> Path:
    """Make a wheel out of an installed distribution's files, which its RECORD lists. Raises OSError.

    The format is that of the binary distribution specification: the files, and a RECORD with their hashes. Scripts
    and compiled files are left out, for the next installer makes them itself.
    """
    tag = next(
        line.partition(":")[2].strip()
        for line in (installed.read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag:")
    )
    wheel = folder / f"{NAME.replace('-', '_')}-{installed.version}-{tag}.whl"
    if wheel.exists():
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            _fill(archive, [entry for entry in installed.files or () if _belongs(entry)])
        os.replace(temporary, wheel)
    except BaseException:
        os.unlink(temporary)
        raise
    return wheel


def _belongs(entry: PackagePath) -> bool:
    if entry.parts[0] == ".." or "__pycache__" in entry.parts:
        return False
    return not (entry.parts[0].endswith(".dist-info") and entry.name in _NOT_OF_THE_WHEEL)


def _fill(archive: zipfile.ZipFile, entries: list[PackagePath]) -> None:
    record = []
    for entry in entries:
        content = Path(str(entry.locate())).read_bytes()
        archive.writestr(entry.as_posix(), content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record.append(f"{entry.as_posix()},sha256={digest},{len(content)}\n")
    info = next(entry.parts[0] for entry in entries if entry.parts[0].endswith(".dist-info"))
    archive.writestr(f"{info}/RECORD", "".join([*record, f"{info}/RECORD,,\n"]))
