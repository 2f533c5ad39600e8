"""Artifacts as the story publishes them; how they are served is the control plane's tests to show."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from nexus.gateway.artifacts import JOB_SECONDS, KEPT_SECONDS, publish
from nexus.gateway.settings import load_settings
from nexus.gateway.storage import Store, opening
from nexus.jobs.values import Order

GIVEN: Final[dict[str, Any]] = {"token": "ada", "media_type": "image/png", "body": b"png"}


@pytest.fixture
async def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Store]:
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"sqlite:///{tmp_path}/nexus.db")
    monkeypatch.setenv("NEXUS_FILES_URL", str(tmp_path / "files"))
    store = Store(opening(load_settings()), lambda *_, **__: None)
    store.start()
    yield store
    await store.close()


async def test_an_artifact_has_a_url_that_nobody_guesses(store: Store) -> None:
    paths = [await publish(store, filename="../a cat?.png", **GIVEN) for _ in range(3)]
    ids = [path.split("/")[3] for path in paths]
    assert len(set(ids)) == 3
    assert all(len(identity) == 43 for identity in ids)  # 256 bits in base64
    assert paths[0] == f"/v1/artifacts/{ids[0]}/a%20cat%3F.png"
    opened = await store.opened()
    kept = await opened.files.find(ids[0], "artifact")
    assert kept is not None
    assert (kept.token, kept.bytes, kept.filename) == ("ada", 3, "a cat?.png")
    assert kept.job is None
    assert kept.expires_at == pytest.approx(time.time() + KEPT_SECONDS, abs=60)


@pytest.mark.parametrize("job_kept", [60.0, 30 * 24 * 3600.0])
async def test_one_of_a_job_is_kept_as_long_as_that(store: Store, job_kept: float) -> None:
    opened = await store.opened()
    await opened.ledger.enter(Order("job_1", "images.generations", "/v1/x", "", "jobs/job_1/request", 2, "ada"), 2e9)
    path = await publish(store, filename="cat.png", job="job_1", job_kept=job_kept, **GIVEN)
    kept = await opened.files.find(path.split("/")[3], "artifact")
    assert kept is not None
    assert kept.job == "job_1"
    assert kept.expires_at == pytest.approx(time.time() + job_kept + JOB_SECONDS, abs=60)
