"""The package index that pip is set up with on this machine, said in uv's words: uv reads no pip.conf."""

import configparser
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_UV_INDEX_VARIABLES: Final = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_NO_INDEX", "UV_CONFIG_FILE")


def pip_files(environ: Mapping[str, str], prefix: Path) -> tuple[Path, ...]:
    """pip's configuration files in the order in which it reads them: a later one wins.

    The places are those of pip's user guide for Linux and macOS; `prefix` is the virtual environment.
    """
    home = Path(environ.get("HOME", "/nonexistent"))
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = (
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        home / "Library" / "Application Support" / "pip" / "pip.conf",
        config / "pip" / "pip.conf",
        prefix / "pip.conf",
    )
    chosen = environ.get("PIP_CONFIG_FILE")
    return (*files, Path(chosen)) if chosen else files


def uv_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where uv looks for a configuration of its own on this machine."""
    home = Path(environ.get("HOME", "/nonexistent"))
    return Path("/etc/uv/uv.toml"), Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"


def for_uv(environ: Mapping[str, str], prefix: Path) -> dict[str, str]:
    """The variables to add to uv's environment so that it uses the index and the certificates that pip uses.

    Empty where uv is configured itself, or where pip is not.
    """
    if any(environ.get(name) for name in _UV_INDEX_VARIABLES) or any(file.exists() for file in uv_files(environ)):
        return {}
    settings = _read(pip_files(environ, prefix))
    added: dict[str, str] = {}
    if index := environ.get("PIP_INDEX_URL") or settings.get("index-url"):
        added["UV_DEFAULT_INDEX"] = index
    certificate = environ.get("PIP_CERT") or settings.get("cert")
    if certificate and "SSL_CERT_FILE" not in environ:
        added["SSL_CERT_FILE"] = certificate
    return added


def _read(files: Iterable[Path]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself will have complained
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update(parser.items(section))
    return settings
