"""How long the suite takes, and gateways and misbehaving servers for the scenarios beside the table."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.fleet import Fleet
from tests.chaos.scenario import write_config
from tests.servers.gateway import Gateway

StartGateway = Callable[..., Gateway]


@pytest.fixture(scope="session")
def is_long() -> bool:
    """Whether minutes are minutes, or seconds."""
    return os.environ.get("NEXUS_TEST_CHAOS") == "long"


@pytest.fixture
def long_form(is_long: bool) -> None:
    """For what another test of the short form shows nearly as well."""
    if not is_long:
        pytest.skip("in the long form")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Enter what has to end with the test, newest first."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def fleet(stack: ExitStack) -> Fleet:
    return stack.enter_context(Fleet())


@pytest.fixture
def start_gateway(stack: ExitStack, tmp_path: Path) -> StartGateway:
    """`start_gateway(*urls, ready=…, **keys)`: a gateway before services, with these keys of nexus.yaml; `ready` of
    its instances are ready then, all of them by default."""

    def start(*urls: str, name: str = "gateway", ready: int | None = None, **keys: Any) -> Gateway:
        folder = tmp_path / name
        folder.mkdir()
        write_config(folder, **keys)
        gateway = stack.enter_context(Gateway(folder, urls))
        for url in urls[:ready]:
            gateway.wait_for_state(url, "ready", 20)
        return gateway

    return start
