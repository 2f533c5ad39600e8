"""TLS at the real gateway: clients that check the certificate, a certificate that changes under them, HSTS."""

import json
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import openai
import pytest

from nexus.stack.authority import Folder, renew
from tests.servers.gateway import TOKEN, chat_body
from tests.servers.raw import wait_until
from tests.servers.scripted import ScriptedUpstream
from tests.servers.secure import SecureGateway

HSTS = "max-age=31536000"
CHAT = "/v1/chat/completions"


@pytest.fixture
def start(stack: ExitStack, tmp_path: Path, upstream: ScriptedUpstream) -> Callable[..., SecureGateway]:
    def begin(**env: str) -> SecureGateway:
        gateway = stack.enter_context(SecureGateway(tmp_path, [upstream.url], env))
        gateway.wait_for_state(upstream.url, "ready")
        return gateway

    return begin


@pytest.fixture
def client(start: Callable[..., SecureGateway]) -> Iterator[tuple[SecureGateway, httpx.Client]]:
    gateway = start()
    with gateway.client() as client:
        yield gateway, client


def shown(gateway: SecureGateway, context: ssl.SSLContext | None = None, name: str = "localhost") -> bytes:
    """The certificate that a new connection is shown."""
    trusting = context or gateway.trusting()
    with (
        socket.create_connection(("127.0.0.1", gateway.port), 5) as plain,
        trusting.wrap_socket(plain, server_hostname=name) as secure,
    ):
        found = secure.getpeercert(binary_form=True)
        assert found is not None
        return found


def on_disk(gateway: SecureGateway) -> bytes:
    return ssl.PEM_cert_to_DER_cert(gateway.tls.certificate.read_text())


def test_clients_that_check_the_certificate_are_answered(client: tuple[SecureGateway, httpx.Client]) -> None:
    gateway, asking = client
    assert asking.get("/health").json() == {"status": "ok"}
    assert asking.post(CHAT, json=chat_body()).json()["choices"][0]["message"]["content"] == "Hello."
    with httpx.Client(base_url=gateway.url, trust_env=False) as stranger, pytest.raises(httpx.ConnectError):
        stranger.get("/health")
    with openai.OpenAI(
        base_url=f"https://localhost:{gateway.port}/v1",
        api_key=TOKEN,
        max_retries=0,
        http_client=openai.DefaultHttpxClient(verify=gateway.trusting(), trust_env=False),
    ) as official:
        messages = [{"role": "user", "content": "Hello?"}]
        with official.chat.completions.create(model="scripted", messages=messages, stream=True) as stream:  # type: ignore[call-overload]
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def test_plain_http_is_not_answered(client: tuple[SecureGateway, httpx.Client]) -> None:
    gateway, _ = client
    with socket.create_connection(("127.0.0.1", gateway.port), 5) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert not plain.recv(1000).startswith(b"HTTP/")


def test_a_renewed_certificate_is_shown_to_new_connections_and_a_stream_goes_on(
    client: tuple[SecureGateway, httpx.Client], upstream: ScriptedUpstream
) -> None:
    gateway, asking = client
    before = on_disk(gateway)
    script = {"kind": "sse", "tokens": 3, "gate": "next"}
    with asking.stream("POST", CHAT, json=chat_body(script, stream=True)) as stream:
        lines = stream.iter_lines()
        upstream.open("next")
        first = next(lines)
        gateway.renew()
        assert on_disk(gateway) != before
        wait_until(lambda: gateway.events("certificate_read"))
        assert shown(gateway) == on_disk(gateway)
        for _ in range(9):
            upstream.open("next")
        rest = [line for line in lines if line]
    assert json.loads(first.removeprefix("data: "))
    assert rest[-1] == "data: [DONE]"
    answers = [asking.get("/health") for _ in range(3)]  # on a connection of before, as the pool kept it
    assert [answer.status_code for answer in answers] == [200] * 3
    assert shown(gateway) == on_disk(gateway)
    assert len(gateway.events("certificate_read")) == 1


def test_a_wrong_pair_is_refused_and_the_one_before_is_shown_until_a_good_one_comes(
    client: tuple[SecureGateway, httpx.Client],
) -> None:
    gateway, asking = client
    before = on_disk(gateway)
    other = Folder(gateway.folder / "other")
    renew(other, ())
    gateway.tls.key.write_bytes(other.key.read_bytes())
    wait_until(lambda: gateway.events("certificate_refused"))
    (told,) = gateway.events("certificate_refused")
    assert "the key is not that of the certificate" in told["reason"]
    assert shown(gateway) == before
    gateway.tls.certificate.write_text(gateway.tls.certificate.read_text()[:200])
    wait_until(lambda: len(gateway.events("certificate_refused")) == 2)
    assert shown(gateway) == before
    assert asking.post(CHAT, json=chat_body()).status_code == 200
    renew(gateway.tls, ("localhost",))
    wait_until(lambda: gateway.events("certificate_read"))
    assert shown(gateway) == on_disk(gateway) != before


def test_the_command_renews_under_a_running_gateway(client: tuple[SecureGateway, httpx.Client]) -> None:
    gateway, _ = client
    command = ["-m", "nexus.cli", "tls", "dev-cert", "box.test", "--folder", str(gateway.tls.path)]
    subprocess.run([gateway.process.args[0], *command], check=True, capture_output=True)  # type: ignore[index]
    wait_until(lambda: gateway.events("certificate_read"))
    assert shown(gateway, name="box.test") == on_disk(gateway)


def test_hsts_is_told_with_every_answer_of_lane_and_control_plane(start: Callable[..., SecureGateway]) -> None:
    gateway = start(NEXUS_HSTS="31536000")
    with gateway.client() as asking:
        answers = [
            asking.get("/health"),
            asking.get("/v1/models"),
            asking.get("/nowhere"),
            asking.get("/v1/models", headers={"authorization": "no"}),
            asking.post(CHAT, json=chat_body()),
            asking.post(CHAT, json=chat_body({"kind": "sse"}, stream=True)),
            asking.post(CHAT, content=b"{", headers={"content-type": "application/json"}),
            asking.get(CHAT),
        ]
        assert [answer.headers.get_list("strict-transport-security") for answer in answers] == [[HSTS]] * len(answers)
        assert [answer.status_code for answer in answers] == [200, 200, 404, 401, 200, 200, 400, 405]
    context = gateway.trusting()
    with (
        socket.create_connection(("127.0.0.1", gateway.port), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"nonsense\r\n\r\n")
        assert b"strict-transport-security: max-age=31536000\r\n" in secure.recv(10_000)


def test_hsts_is_off_unless_it_is_wanted(client: tuple[SecureGateway, httpx.Client]) -> None:
    _, asking = client
    for answer in (asking.get("/health"), asking.post(CHAT, json=chat_body())):
        assert "strict-transport-security" not in answer.headers
