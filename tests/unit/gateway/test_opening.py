"""The storage that the settings name: files in a bucket, too."""

from pathlib import Path

import pytest

from nexus.gateway.opening import open_storage
from nexus.gateway.settings import load_settings
from nexus.store.rows import KeptFile
from tests.servers.bucket import KEY, SECRET, bucket


async def test_files_are_kept_in_a_bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with bucket() as s3:
        for name, value in {
            "DATABASE_URL": f"sqlite:///{tmp_path}/nexus.db",
            "FILES_URL": f"s3://{s3.name}/nexus",
            "S3_ENDPOINT": s3.endpoint,
            "S3_ACCESS_KEY_ID": KEY,
            "S3_SECRET_ACCESS_KEY": SECRET,
        }.items():
            monkeypatch.setenv(f"NEXUS_{name}", value)
        opened = await open_storage(load_settings())
        await opened.files.keep(KeptFile("a", "file", "ada", "a.txt", "text/plain", 1.0), b"hello")
        assert s3.names() == ["nexus/files/a"]
        await opened.blobs.close()
        await opened.database.close()
