"""Who may reach what, by address: real clients on several loopback addresses, before the real gateway."""

import socket
from collections.abc import Callable
from pathlib import Path

import openai
import pytest

from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import Answer, RawClient, request, wait_until
from tests.servers.scripted import ScriptedUpstream

CHAT = "/v1/chat/completions"
OTHER = "127.0.0.2"
Start = Callable[..., Gateway]


class Client(RawClient):
    """A client at another address of this machine."""

    def __init__(self, port: int, address: str) -> None:
        probe = socket.create_connection(("127.0.0.1", port), 10, source_address=(address, 0))
        super().__init__(port)
        self._socket.close()
        self._socket = probe

    def ask(self, path: str, body: object = None, *, token: str | None = TOKEN, **headers: str) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.send(request(path, body, token=token, headers=fields))
        return self.answer()


def status(gateway: Gateway, path: str, address: str = "127.0.0.1", **options: str | None) -> int:
    with Client(gateway.port, address) as client:
        return client.ask(path, chat_body() if path == CHAT else None, **options).status  # type: ignore[arg-type]


def test_what_is_closed_is_closed_by_address_and_the_rest_is_open(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    config = 'ip_allowlist: {/metrics: ["127.0.0.1"], /v1/chat: ["127.0.0.1", "192.0.2.0/24"], /v1/models: []}'
    gateway = start_gateway(upstream, config=config)
    paths = (CHAT, "/metrics", "/v1/models", "/health")
    assert [status(gateway, path) for path in paths] == [200, 200, 403, 200]
    assert [status(gateway, path, OTHER) for path in paths] == [403, 403, 403, 200]
    with Client(gateway.port, OTHER) as client:
        answer = client.ask(CHAT, chat_body())
        assert answer.error["code"] == "permission_denied"
        assert OTHER in answer.error["message"]
        client.send(request(f"/v1/services/{upstream_name(gateway)}{CHAT}", chat_body(), token=TOKEN))
        assert client.answer().status == 403
    assert not [seen for seen in upstream.seen if seen.method == "POST"][1:]  # but for the one that was let in
    assert status(gateway, "/v1/admin/x", OTHER) == 404  # loopback, whichever address of it, and nothing is there


def upstream_name(gateway: Gateway) -> str:
    name: str = gateway.get("/v1/services").json()["data"][0]["name"]
    return name


@pytest.mark.parametrize("kept", [True, False], ids=["one connection", "a connection each"])
def test_an_edit_closes_and_opens_while_connections_are_open(
    start_gateway: Start, upstream: ScriptedUpstream, tmp_path: Path, kept: bool
) -> None:
    gateway = start_gateway(upstream)

    def asked(client: Client) -> int:
        if kept:
            return client.ask(CHAT, chat_body()).status
        return status(gateway, CHAT, OTHER)

    def until(wanted: int, client: Client) -> None:
        wait_until(lambda: asked(client) == wanted)

    with Client(gateway.port, OTHER) as client:
        assert {asked(client) for _ in range(4)} == {200}
        (tmp_path / "nexus.yaml").write_text('ip_allowlist: {/v1: ["127.0.0.1"]}\n')
        until(403, client)
        (tmp_path / "nexus.yaml").write_text('ip_allowlist: {/v1: ["127.0.0.1/8"]}\n')  # refused: it stays closed
        wait_until(lambda: b"config_refused" in gateway.stdout.read_bytes())
        assert asked(client) == 403
        (tmp_path / "nexus.yaml").write_text('ip_allowlist: {/v1: ["127.0.0.0/8"]}\n')
        until(200, client)


def test_only_a_trusted_proxy_says_whose_request_it_is(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    config = 'ip_allowlist: {/v1: ["127.0.0.1", "192.0.2.0/24", "2001:db8::/32"]}'
    gateway = start_gateway(upstream, env={"NEXUS_TRUSTED_PROXIES": f"{OTHER},10.0.0.0/8"}, config=config)
    cases = [
        (OTHER, "192.0.2.1", 200),
        (OTHER, "203.0.113.9", 403),
        (OTHER, "192.0.2.1, 203.0.113.9", 403),
        (OTHER, "203.0.113.9, 192.0.2.1, 10.0.0.9", 200),
        (OTHER, "[2001:db8::5]:443", 200),
        (OTHER, "::ffff:192.0.2.1", 200),
        (OTHER, "192.0.2.1:80", 200),
        (OTHER, "192.0.2.1.5", 403),
        (OTHER, "192.0.2.1,", 403),
        ("127.0.0.3", "192.0.2.1", 403),  # it is not trusted
        ("127.0.0.1", "192.0.2.1", 403),  # nor is this one, which forwards all the same
        ("127.0.0.1", "", 200),
    ]
    for path in (CHAT, "/v1/models"):
        found = [(peer, value, status(gateway, path, peer, x_forwarded_for=value)) for peer, value, _ in cases]
        assert found == cases


def test_metrics_are_closed_to_others_and_open_here_without_a_token(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    gateway = start_gateway(
        upstream, env={"NEXUS_TRUSTED_PROXIES": OTHER, "NEXUS_METRICS_ALLOW": "127.0.0.0/8,192.0.2.0/24"}
    )
    here = {"token": None, "host": "localhost"}
    assert status(gateway, "/metrics", **here) == 200
    assert status(gateway, "/metrics", token=None, host="evil.example") == 401
    for source, token, expected in (("192.0.2.1", None, 401), ("192.0.2.1", TOKEN, 200), ("203.0.113.9", TOKEN, 403)):
        assert status(gateway, "/metrics", OTHER, token=token, x_forwarded_for=source) == expected


def test_the_official_client_raises_what_it_should(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    gateway = start_gateway(upstream, config="ip_allowlist: {/v1/chat: [], /v1/models: []}")
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=TOKEN, max_retries=0) as client:
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "Hello?"}])
        with pytest.raises(openai.PermissionDeniedError):
            client.models.list()


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}])
def test_without_authentication_a_web_page_drives_nothing(
    start_gateway: Start, upstream: ScriptedUpstream, headers: dict[str, str]
) -> None:
    env = {"NEXUS_AUTH": "off", "NEXUS_PUBLIC_URL": "http://nexus.test"}
    gateway = start_gateway(upstream, env=env)
    for path in (CHAT, "/v1/models", "/v1/services", "/health", "/metrics"):
        assert status(gateway, path, **headers) == 403, path
    assert not [seen for seen in upstream.seen if seen.path == CHAT]
    assert status(gateway, CHAT, token=None, host="localhost", origin="http://localhost:3000") == 200


def test_a_proxy_header_does_not_hide_a_foreign_host(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    env = {"NEXUS_AUTH": "off", "NEXUS_PUBLIC_URL": "http://nexus.test"}
    gateway = start_gateway(upstream, env=env)
    with RawClient(gateway.port) as client:
        client.send(request(CHAT, chat_body(), headers={"host": "evil.example", "x-forwarded-host": "localhost"}))
        assert client.answer().status == 403
        client.send(request(f"http://localhost{CHAT}", chat_body(), headers={"host": "evil.example"}))
        assert client.answer().status == 403
