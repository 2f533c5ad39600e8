"""Rolling restarts, of services and of two gateways behind one address: no request is lost."""

import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.balancer import Balancer
from tests.chaos.conftest import StartGateway
from tests.chaos.fleet import Fleet
from tests.chaos.processes import ServerProcess
from tests.chaos.scenario import Load, write_config
from tests.servers.gateway import Gateway
from tests.servers.raw import fetch, wait_until


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("how", ["leave", "kill"])
def test_services_are_restarted_one_after_another(
    start_gateway: StartGateway, stack: ExitStack, how: str, stream: bool
) -> None:
    """By SIGTERM, after which they end what they are at; and by SIGKILL, when calls go elsewhere."""
    services = [stack.enter_context(ServerProcess(f"copy-{number}", "--pause", "0.003")) for number in range(2)]
    gateway = start_gateway(*(service.url for service in services))
    load = Load(gateway.port, "sound", stream=stream)
    with load.flowing(6):
        for service in services:
            seen = len(load.ended)
            wait_until(lambda seen=seen: len(load.ended) > seen + 20, 20)
            (service.leave if how == "leave" else service.kill)()
            wait_until(lambda s=service: (gateway.instance(s.url) or {}).get("state") != "ready", 10)
            service.start()
            gateway.wait_for_state(service.url, "ready", 20)
            back = time.monotonic()
            wait_until(lambda s=service, b=back: any(x.service == s.name and x.began > b for x in load.ended), 20)
    assert set(load.count) == {"whole"}, load.count
    gateway.wait_until_idle(10)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_two_gateways_behind_one_address_are_restarted_one_after_another(
    request: pytest.FixtureRequest, fleet: Fleet, stack: ExitStack, tmp_path: Path, stream: bool
) -> None:
    if not stream:
        request.getfixturevalue("long_form")
    server = fleet.add("service", ["sound"], pause=0.003)
    gateways = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_config(tmp_path / name)
        gateways.append(stack.enter_context(Gateway(tmp_path / name, [server.url])))
        gateways[-1].wait_for_state(server.url, "ready")
    balancer = Balancer([gateway.port for gateway in gateways])
    fleet.run(balancer.start())
    stack.callback(lambda: fleet.run(balancer.stop()))
    load = Load(balancer.port, "sound", stream=stream, fresh=True)
    with load.flowing(6):
        for gateway in gateways:
            seen = len(load.ended)
            wait_until(lambda seen=seen: len(load.ended) > seen + 20, 20)
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(20) == 0
            gateway.__enter__()
            wait_until(lambda port=gateway.port: fetch(port, "/readyz").status == 200, 20)
            seen = len(load.ended)
            wait_until(lambda seen=seen: len(load.ended) > seen + 20, 20)
    assert set(load.count) == {"whole"}, load.count
