"""Real databases of both kinds: empty, in use, of the future, stopped."""

from pathlib import Path

import pytest

from nexus.stack.doctor.database import database, judge
from nexus.store.database import Database
from nexus.store.tables import REVISION
from tests.servers.gateway import free_port


def test_nothing_was_named(host, tmp_path: Path) -> None:
    assert [one.what for one in database(host())] == ["SQLite in the state folder"]
    assert [one.level for one in database(host(settings=None))] == ["ok"]


async def opened(url: str) -> None:
    database = Database(url)
    await database.open()
    await database.close()


def test_an_empty_and_a_used_one(host, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setenv("NEXUS_DATABASE_URL", database_url)
    (found,) = database(host(given_database=True))
    assert (found.level, "will be" in found.what) == ("ok", True)
    asyncio.run(opened(database_url))
    (found,) = database(host(given_database=True))
    assert (found.level, found.what.endswith(f"answers, at revision {REVISION}")) == ("ok", True)


def test_a_sqlite_file_is_not_made(host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    assert database(host(given_database=True))[0].level == "ok"
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database(host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some.db").write_text("something else entirely, and long enough to be looked at as a header" * 20)
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"sqlite:///{tmp_path}/some.db")
    (found,) = database(host(given_database=True))
    assert found.level == "problem"
    assert "not a database" in found.what


def test_a_server_that_was_stopped(host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"postgresql://nexus:s3cret@127.0.0.1:{free_port()}/nexus")
    (found,) = database(host(given_database=True))
    assert found.level == "problem"
    assert found.what.startswith("NEXUS_DATABASE_URL: ")
    assert "s3cret" not in found.what


def test_a_server_that_says_nothing(host, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.stack.doctor.database._SECONDS", 0.3)
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"postgresql://nexus:s3cret@127.0.0.1:{taken}/nexus")
    (found,) = database(host(given_database=True))
    assert (found.level, "does not answer" in found.what) == ("problem", True)


@pytest.mark.parametrize(
    ("revision", "skew", "level", "told"),
    [
        (REVISION, 1.0, "ok", "at revision"),
        (None, 0.0, "ok", "it is empty"),
        ("0000", 0.0, "ok", "at revision 0000"),
        ("9999", 0.0, "problem", "a newer Nexus"),
        (REVISION, 60.0, "warning", "60 s ahead of"),
        (REVISION, -60.0, "warning", "60 s behind"),
    ],
)
def test_what_a_database_says(revision: str | None, skew: float, level: str, told: str) -> None:
    found = judge("postgresql", revision, skew)
    assert (found.level, told in found.what) == (level, True)
