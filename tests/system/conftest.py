"""One gateway before one scripted upstream for the tests that need nothing special, and a way to start others."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers.gateway import Gateway
from tests.servers.scripted import ScriptedUpstream
from tests.servers.slow_service import SlowService
from tests.servers.whole_stack import Stack, whole_stack

StartGateway = Callable[..., Gateway]


@pytest.fixture(scope="module")
def upstream_of_module() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway_of_module(
    upstream_of_module: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("gateway"), [upstream_of_module.url]) as gateway:
        gateway.wait_for_state(upstream_of_module.url, "ready")
        yield gateway


@pytest.fixture
def upstream(upstream_of_module: ScriptedUpstream) -> ScriptedUpstream:
    """The module's upstream, having seen nothing yet."""
    upstream_of_module.seen.clear()
    return upstream_of_module


@pytest.fixture
def gateway(gateway_of_module: Gateway, upstream: ScriptedUpstream) -> Iterator[Gateway]:
    """The module's gateway; it must live on, whatever the test did to it, and have given back everything."""
    yield gateway_of_module
    assert gateway_of_module.process.poll() is None, gateway_of_module.stderr.read_text()
    assert gateway_of_module.get("/health").status == 200
    gateway_of_module.wait_until_idle()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Enter upstreams and gateways here; they end with the test, newest first."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def start_gateway(stack: ExitStack, tmp_path: Path) -> StartGateway:
    """Start another gateway: `start_gateway(*upstreams, env={…}, config="nexus.yaml's text")`, all upstreams ready."""

    def start(*upstreams: ScriptedUpstream, env: Mapping[str, str] | None = None, config: str | None = None) -> Gateway:
        if config is not None:
            (tmp_path / "nexus.yaml").write_text(config)
        gateway = stack.enter_context(Gateway(tmp_path, [upstream.url for upstream in upstreams], env))
        for upstream in upstreams:
            gateway.wait_for_state(upstream.url, "ready")
        return gateway

    return start


@pytest.fixture(scope="module")
def whole() -> Iterator[Stack]:
    """The whole embedded stack, for the modules that ask real models."""
    with whole_stack() as stack:
        yield stack


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowService]:
    with SlowService(tmp_path) as service:
        yield service


@pytest.fixture
def start_before_slow(stack: ExitStack, tmp_path: Path, slow: SlowService) -> Callable[..., Gateway]:
    """Start a gateway before the slow service, in a folder of its own or in one that another gateway had."""

    def begin(name: str = "gateway", config: str | None = None, **env: str) -> Gateway:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        if config is not None:
            (folder / "nexus.yaml").write_text(config)
        gateway = stack.enter_context(Gateway(folder, [slow.url], env))
        gateway.wait_for_state(slow.url, "ready")
        return gateway

    return begin
