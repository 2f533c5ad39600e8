"""Reads the addresses of database and blob storage, without importing the libraries behind them.

Errors never repeat what was given: it may hold a password.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

_POSTGRES: Final = ("postgres", "postgresql", "postgresql+asyncpg")
_SQLITE: Final = ("sqlite", "sqlite+aiosqlite")
_POSTGRES_OPTIONS: Final = {"host": "host", "port": "port", "sslmode": "ssl", "ssl": "ssl"}  # libpq's word → asyncpg's


class StoreAddressError(ValueError):
    """The address cannot be used."""


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """`url` is for SQLAlchemy's asynchronous drivers and holds the password; `file` is SQLite's, None for others."""

    url: str
    dialect: str
    file: Path | None = None

    def __repr__(self) -> str:
        return f"DatabaseAddress({self.dialect})"


@dataclass(frozen=True, slots=True)
class BlobAddress:
    """A folder on this machine, or a bucket and a prefix in it."""

    folder: Path | None = None
    bucket: str = ""
    prefix: str = ""


def parse_database_url(url: str) -> DatabaseAddress:
    """From `sqlite:///path` (one slash more for an absolute path) or `postgresql://user:password@host/db`.

    Raises StoreAddressError.
    """
    parts = _split(url)
    if parts.scheme in _SQLITE:
        return _sqlite(parts)
    if parts.scheme in _POSTGRES:
        return _postgres(parts)
    raise StoreAddressError("it must begin with sqlite:/// or postgresql://")


def parse_files_url(url: str) -> BlobAddress:
    """From a folder's path, `file:///folder` or `s3://bucket/prefix`. Raises StoreAddressError."""
    if "://" not in url:
        return BlobAddress(folder=Path(url))
    parts = _split(url)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise StoreAddressError("it may have no credentials, query or fragment")
    if parts.scheme == "file":
        if parts.netloc or not parts.path.strip("/"):
            raise StoreAddressError("a folder is of the form file:///folder")
        return BlobAddress(folder=Path(unquote(parts.path)))
    if parts.scheme == "s3":
        if not parts.netloc or ":" in parts.netloc:
            raise StoreAddressError("a bucket is of the form s3://bucket/prefix")
        return BlobAddress(bucket=parts.netloc, prefix=unquote(parts.path).strip("/"))
    raise StoreAddressError("it must be a folder or begin with file:/// or s3://")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise StoreAddressError("it is not a URL") from None
    return parts


def _sqlite(parts: SplitResult) -> DatabaseAddress:
    path = unquote(parts.path)[1:]
    if parts.netloc or not path or path.endswith("/") or parts.query or parts.fragment:
        raise StoreAddressError("a SQLite database is of the form sqlite:///path")
    if path == ":memory:":
        raise StoreAddressError("a SQLite database must be a file: what it holds has to outlive the process")
    return DatabaseAddress(f"sqlite+aiosqlite:///{path}", "sqlite", Path(path))


def _postgres(parts: SplitResult) -> DatabaseAddress:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = [name for name in options if name not in _POSTGRES_OPTIONS]
    if unknown:
        raise StoreAddressError(f"of its options only {', '.join(_POSTGRES_OPTIONS)} are known")
    if not parts.path.strip("/") or not (parts.hostname or "host" in options) or parts.fragment:
        raise StoreAddressError("a PostgreSQL database is of the form postgresql://user:password@host:port/name")
    query = urlencode({_POSTGRES_OPTIONS[name]: value for name, value in options.items()})
    url = f"postgresql+asyncpg://{parts.netloc}{parts.path}"
    return DatabaseAddress(f"{url}?{query}" if query else url, "postgresql")
