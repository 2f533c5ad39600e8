from pathlib import Path

import pytest

from nexus.store.address import BlobAddress, StoreAddressError, parse_database_url, parse_files_url


@pytest.mark.parametrize(
    ("url", "driver", "file"),
    [
        ("sqlite:///nexus.db", "sqlite+aiosqlite:///nexus.db", "nexus.db"),
        ("sqlite:////var/lib/nexus.db", "sqlite+aiosqlite:////var/lib/nexus.db", "/var/lib/nexus.db"),
        ("postgresql://me:p%40ss@db:5433/nexus", "postgresql+asyncpg://me:p%40ss@db:5433/nexus", None),
        ("postgres://db/nexus?sslmode=require", "postgresql+asyncpg://db/nexus?ssl=require", None),
        ("postgresql:///nexus?host=/run/postgresql", "postgresql+asyncpg:///nexus?host=%2Frun%2Fpostgresql", None),
        ("postgresql+asyncpg://db/nexus", "postgresql+asyncpg://db/nexus", None),
    ],
)
def test_a_databases_url_gets_its_driver(url: str, driver: str, file: str | None) -> None:
    address = parse_database_url(url)
    assert address.url == driver
    assert address.file == (None if file is None else Path(file))
    assert address.dialect == ("postgresql" if file is None else "sqlite")
    assert "p%40ss" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nexus.db",
        "sqlite://",
        "sqlite:///",
        "sqlite://nexus.db",
        "sqlite:///:memory:",
        "sqlite:///folder/",
        "sqlite:///a.db?mode=ro",
        "postgresql://db",
        "postgresql:///nexus",
        "postgresql://db:port/nexus",
        "postgresql://db/nexus?password=hidden",
        "mysql://me:hidden@db/nexus",
        "postgresql://me:hidden@[db/nexus",
    ],
)
def test_what_is_no_databases_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(StoreAddressError) as caught:
        parse_database_url(url)
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("files", BlobAddress(folder=Path("files"))),
        ("/var/lib/nexus", BlobAddress(folder=Path("/var/lib/nexus"))),
        ("file:///var/my%20files", BlobAddress(folder=Path("/var/my files"))),
        ("s3://bucket", BlobAddress(bucket="bucket")),
        ("s3://bucket/a/b/", BlobAddress(bucket="bucket", prefix="a/b")),
    ],
)
def test_files_are_in_a_folder_or_a_bucket(url: str, address: BlobAddress) -> None:
    assert parse_files_url(url) == address


@pytest.mark.parametrize(
    "url",
    ["file://host/a", "file:///", "s3://", "s3://b:9000/x", "s3://k:hidden@b", "s3://b?x=1", "gs://b", "http://b"],
)
def test_other_places_for_files_are_refused(url: str) -> None:
    with pytest.raises(StoreAddressError) as caught:
        parse_files_url(url)
    assert "hidden" not in str(caught.value)
