"""Artifacts: what a call has made, kept for a while under a URL that only its caller knows."""

import secrets
import time
from typing import Final
from urllib.parse import quote

from nexus.gateway.names import sane_filename, sane_media_type
from nexus.gateway.storage import Store
from nexus.store.rows import KeptFile

KEPT_SECONDS: Final = 24 * 3600.0
JOB_SECONDS: Final = 3600.0  # more than a run takes from its artifacts to its end, from when on the job is kept
PREFIX: Final = "/v1/artifacts/"


async def publish(
    store: Store,
    *,
    token: str,
    media_type: str,
    body: bytes,
    filename: str,
    job: str | None = None,
    job_kept: float = KEPT_SECONDS,
) -> str:
    """Keep `body` and give the path of its URL: whoever has it may read it until it expires.

    One that a run of `job` has made is the job's: it stays as long as that, and goes with it. `job_kept` is for how
    many seconds an ended job is kept; what nobody takes away with its job expires some time after that.

    Raises ApiError where there is no storage, StoreError where it fails.
    """
    now = time.time()
    artifact = KeptFile(
        id=secrets.token_urlsafe(32),  # 256 bits: nobody guesses it
        kind="artifact",
        token=token,
        filename=sane_filename(filename),
        media_type=sane_media_type(media_type),
        created_at=now,
        expires_at=now + (KEPT_SECONDS if job is None else job_kept + JOB_SECONDS),
        job=job,
    )
    await (await store.opened()).files.keep(artifact, body)
    return f"{PREFIX}{artifact.id}/{quote(artifact.filename, safe='')}"
