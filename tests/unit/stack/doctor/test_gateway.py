"""The gateway's port with nobody, a stranger and a real gateway on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nexus.stack.doctor.gateway import gateway, judge_services, service_ports
from nexus.stack.doctor.http import Answer
from nexus.stack.doctor.values import Finding, Host
from tests.servers.gateway import TOKEN, Gateway, free_port
from tests.servers.scripted import ScriptedUpstream


def levels(found: list[Finding]) -> list[str]:
    return [one.level for one in found]


def test_a_free_port(host: Callable[..., Host], monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("NEXUS_PORT", str(port))
    (found,) = gateway(host())
    assert (found.level, found.what) == ("ok", f"port {port} on 127.0.0.1 is free; no gateway runs there")
    monkeypatch.setenv("NEXUS_PORT", "0")
    assert levels(gateway(host())) == ["ok"]
    assert gateway(host(settings=None)) == []


def test_somebody_who_says_nothing(host, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_PORT", str(taken))
    (found,) = gateway(host())
    assert found.level == "problem"
    assert f"port {taken} on 127.0.0.1 is taken" in found.what
    assert "NEXUS_PORT" in found.todo


def test_somebody_who_is_no_gateway(host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service has a /health as well; it has no /v1/services."""
    with ScriptedUpstream() as upstream:
        monkeypatch.setenv("NEXUS_PORT", upstream.url.rpartition(":")[2])
        found = gateway(host())
    assert levels(found) == ["ok", "warning"]
    assert "not as a gateway's" in found[1].what


def test_a_real_gateway(tmp_path: Path, host, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    with ScriptedUpstream() as upstream, Gateway(tmp_path, [upstream.url, gone]) as running:
        running.wait_for_state(upstream.url, "ready")
        monkeypatch.setenv("NEXUS_PORT", str(running.port))
        monkeypatch.setenv("NEXUS_HOST", "0.0.0.0")
        found = gateway(host(token=TOKEN))
        assert levels(found) == ["ok", "ok", "warning"]
        assert found[0].what == f"a gateway answers at http://127.0.0.1:{running.port}"
        assert found[1].what == "1 of 1 services are ready"
        assert gone in found[2].what
        (_, refused) = gateway(host(token="sk-another"))
        assert refused.level == "warning"
        assert "another folder's" in refused.what


def service(state: str, reason: str = "") -> dict[str, Any]:
    return {"name": "reader", "state": state, "instances": [{"reason": reason}]}


def test_services_that_are_not_ready_are_told_with_their_reason() -> None:
    body = {"data": [service("ready"), service("starting", "small is loading"), service("invalid")]}
    found = judge_services(Answer(200, body))
    assert levels(found) == ["ok", "warning", "warning"]
    assert found[1].what == "the service reader is starting: small is loading"
    assert found[2].what == "the service reader is invalid"


@pytest.mark.parametrize("answer", [Answer(500), Answer(200, []), Answer(200, {"data": 1}), "no connection"])
def test_answers_that_are_none(answer: Answer | str) -> None:
    assert levels(judge_services(answer)) == ["warning"]


def test_ports_chosen_for_services(wanted, host, taken: int) -> None:
    assert service_ports(host(wanted("free"))) == []
    assert levels(service_ports(host(wanted("chosen", port=free_port())))) == ["ok"]
    told = service_ports(host(wanted("reader", port=taken - 1, replicas=2)))  # whoever has the port before it
    assert any(f"port {taken}, chosen for reader, is taken" in found.what for found in told)
    assert "ok" not in levels(told)
