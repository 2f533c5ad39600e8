"""Passwords and the first token: made once, kept afterwards, consistent with one another."""

import stat
from itertools import count
from pathlib import Path

from nexus.deploy.secrets import ensure_secrets


def read(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text().strip() for path in folder.rglob("*") if path.is_file()}


def test_all_are_made_and_belong_together(tmp_path: Path) -> None:
    numbers = count()
    made = ensure_secrets(tmp_path, lambda: f"s{next(numbers)}")
    found = read(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in made) == sorted(found)
    assert found["gateway/database_url"] == f"postgresql://nexus:{found['postgres/password']}@postgres:5432/nexus"
    assert found["valkey/valkey.conf"].endswith("requirepass s1")
    assert found["gateway/redis_url"] == "redis://:s1@valkey:6379/0"
    assert found["gateway/api_key"] == found["prometheus/api_key"] == "sk-nexus-s2"


def test_nobody_may_write_them_and_none_are_alike(tmp_path: Path) -> None:
    ensure_secrets(tmp_path / "a")
    ensure_secrets(tmp_path / "b")
    assert not set(read(tmp_path / "a").values()) & set(read(tmp_path / "b").values())
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()} == {0o444}


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    before = read(tmp_path)
    assert ensure_secrets(tmp_path) == ()
    (tmp_path / "gateway" / "api_key").unlink()
    assert ensure_secrets(tmp_path) == (tmp_path / "gateway" / "api_key", tmp_path / "prometheus" / "api_key")
    after = read(tmp_path)
    assert after["prometheus/api_key"] == after["gateway/api_key"]
    for name in ("gateway/api_key", "prometheus/api_key"):
        assert after.pop(name) != before.pop(name)
    assert after == before


def test_an_address_follows_a_password_that_is_new(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    (tmp_path / "postgres" / "password").unlink()
    ensure_secrets(tmp_path)
    found = read(tmp_path)
    assert found["postgres/password"] in found["gateway/database_url"]
