"""A folder is started as a process and ended again."""

from pathlib import Path

import httpx
import pytest

from nexus.sdk.conformance.launch import launched
from nexus.sdk.problems import ServiceError
from nexus.sdk.scaffold.new import new_service


def test_a_service_lives_as_long_as_the_block(tmp_path: Path) -> None:
    folder = new_service("counter", tmp_path)
    with launched(folder, NEXUS_SERVICE_INSTANCE="here") as url:
        assert httpx.get(f"{url}/v1/metadata").json()["instance"] == "here"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"status 2: .*service\.toml: cannot be read"), launched(tmp_path):
        pass
