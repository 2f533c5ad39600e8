"""Artifacts as the story publishes them; how they are served is the control plane's tests to show."""

import time
from pathlib import Path

import pytest

from nexus.gateway.artifacts import KEPT_SECONDS, publish
from nexus.gateway.settings import load_settings
from nexus.gateway.storage import Store, opening


async def test_an_artifact_has_a_url_that_nobody_guesses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"sqlite:///{tmp_path}/nexus.db")
    monkeypatch.setenv("NEXUS_FILES_URL", str(tmp_path / "files"))
    store = Store(opening(load_settings()), lambda *_, **__: None)
    store.start()
    given = {"token": "ada", "media_type": "image/png", "body": b"png"}
    paths = [await publish(store, filename="../a cat?.png", **given) for _ in range(3)]
    ids = [path.split("/")[3] for path in paths]
    assert len(set(ids)) == 3
    assert all(len(identity) == 43 for identity in ids)  # 256 bits in base64
    assert paths[0] == f"/v1/artifacts/{ids[0]}/a%20cat%3F.png"
    opened = await store.opened()
    kept = await opened.files.find(ids[0], "artifact")
    assert kept is not None
    assert (kept.token, kept.bytes, kept.filename) == ("ada", 3, "a cat?.png")
    assert kept.expires_at == pytest.approx(time.time() + KEPT_SECONDS, abs=60)
    await store.close()
