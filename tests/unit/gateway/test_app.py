"""The whole gateway, as a process of its own: what it needs to start, what it reads, and how it ends."""

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nexus.gateway.app import run
from nexus.gateway.settings import SettingsError, load_settings
from nexus.gateway.shapes.document import ConfigError
from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import RawClient, fetch, request, wait_until
from tests.servers.scripted import ScriptedUpstream

# --- before it listens


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], None]:
    """Sets a variable in an environment without others of Nexus, in a folder of its own."""
    for name in list(os.environ):
        if name.startswith("NEXUS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch.setenv


def test_a_port_that_is_taken_is_told_in_one_line(environment: Callable[[str, str], None]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment("NEXUS_PORT", str(port))
        with pytest.raises(SettingsError) as caught:
            run(load_settings())
    assert str(caught.value) == f"NEXUS_PORT: 127.0.0.1:{port} cannot be listened on: Address already in use"


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_a_host_that_is_not_ours_is_told_in_one_line(environment: Callable[[str, str], None], host: str) -> None:
    environment("NEXUS_HOST", host)
    environment("NEXUS_PORT", "0")
    with pytest.raises(SettingsError, match=rf"^NEXUS_PORT: {host}:0 cannot be listened on: .*$"):
        run(load_settings())


def test_a_bad_configuration_is_told_before_anything_is_bound(
    environment: Callable[[str, str], None], tmp_path: Path
) -> None:
    (tmp_path / "nexus.yaml").write_text("aliasses: {}\n")
    environment("NEXUS_PORT", "1")  # would be told if it were tried
    with pytest.raises(
        ConfigError, match=r"^nexus\.yaml: aliasses: there is no such key; did you mean aliases\? \(line 1\)$"
    ):
        run(load_settings())


# --- the process


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Starts gateways that a test ends itself."""
    started: list[Gateway] = []

    def begin(*services: str, **options: Any) -> Gateway:
        started.append(Gateway(tmp_path, services, **options))
        return started[-1].__enter__()

    yield begin
    for gateway in started:
        if gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()


def ended(gateway: Gateway, status: int = 0) -> list[str]:
    """The events of its log, once it has ended by itself."""
    assert gateway.process.wait(10) == status, gateway.stderr.read_text()
    assert gateway.stderr.read_text() == ""
    return [line["event"] for line in gateway.log_lines()]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_and_ends_and_tells_both(start: Callable[..., Gateway], how: signal.Signals) -> None:
    gateway = start()
    wait_until(lambda: b"gateway_started" in gateway.stdout.read_bytes())
    (started,) = [line for line in gateway.log_lines() if line["event"] == "gateway_started"]
    assert (started["host"], started["port"], started["tls"]) == ("127.0.0.1", gateway.port, False)
    gateway.process.send_signal(how)
    assert ended(gateway)[-1] == "gateway_stopped"
    with pytest.raises(ConnectionRefusedError):
        fetch(gateway.port, "/health")


def test_a_call_that_runs_ends_in_peace_and_is_the_last_line_but_one(start: Callable[..., Gateway]) -> None:
    with ScriptedUpstream() as upstream:
        gateway = start(upstream.url)
        gateway.wait_for_state(upstream.url, "ready")
        gateway.wait_for_storage()
        with RawClient(gateway.port) as client:
            script = {"kind": "json", "gate": "slow", "body": {"n": 1}}
            client.send(request("/v1/chat/completions", chat_body(script), token=TOKEN))
            upstream.wait_for_request()
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: refuses(gateway.port))
            upstream.open("slow")
            assert client.answer().json() == {"n": 1}
        events = ended(gateway)
        assert events[-2:] == ["request", "gateway_stopped"]
        assert gateway.log_lines()[-2]["operation"] == "chat.completions"


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:  # while it closes, one that was accepted is reset
        return True
    return False


def test_it_ends_when_its_lifeline_does(start: Callable[..., Gateway]) -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    gateway = start(env={"NEXUS_LIFELINE_FD": str(read)}, pass_fds=(read,))
    os.close(read)
    assert gateway.process.poll() is None
    os.close(write)
    assert ended(gateway)[-1] == "gateway_stopped"


def test_without_a_key_it_makes_one_for_its_owner_alone(tmp_path: Path) -> None:
    with Gateway(tmp_path, env={"NEXUS_API_KEY": ""}) as gateway:
        path = tmp_path / ".nexus" / "api_key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert gateway.get("/v1/models", token=path.read_text().strip()).status == 200
        assert gateway.get("/v1/models").status == 401


def test_with_auth_off_nobody_needs_a_key(tmp_path: Path) -> None:
    env = {"NEXUS_AUTH": "off", "NEXUS_PUBLIC_URL": "http://nexus.test"}  # the name in `host` is one of its own then
    with ScriptedUpstream() as upstream, Gateway(tmp_path, [upstream.url], env) as gateway:
        gateway.wait_for_state(upstream.url, "ready")
        for token in (None, "sk-wrong", TOKEN):
            assert gateway.get("/v1/models", token=token).status == 200
            assert gateway.chat({"kind": "json", "body": {}}).status == 200
        assert gateway.post("/v1/chat/completions", {"model": "scripted"}, token=None).status == 200
        for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
            for path in ("/v1/chat/completions", "/v1/files"):
                answer = gateway.post(path, {"model": "scripted"}, token=None, headers=headers)
                assert (answer.status, answer.error["code"]) == (403, "permission_denied")


def test_an_edit_of_its_configuration_is_read_and_a_bad_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.yaml"
    path.write_text("aliases: {first: scripted}\n")
    with (
        ScriptedUpstream() as upstream,
        Gateway(tmp_path, [upstream.url], {"NEXUS_CONFIG": str(path)}) as gateway,
    ):
        gateway.wait_for_state(upstream.url, "ready")
        assert gateway.chat(model="first").status == 200
        path.write_text("aliases: {second: scripted, third: scripted}\n")
        wait_until(lambda: gateway.chat(model="second").status == 200)
        assert gateway.chat(model="first").status == 404
        path.write_text("aliases: {a: b, b: a}\n")
        wait_until(lambda: b"config_refused" in gateway.stdout.read_bytes())
        assert gateway.chat(model="second").status == 200
        (line,) = [line for line in gateway.log_lines() if line["event"] == "config_refused"]
        assert "circle" in line["reason"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem and key.pem, for the loopback address."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=nexus.test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


class SecureGateway(Gateway):
    """One that does not answer plain requests."""

    def wait_until_alive(self, within: float = 20.0) -> None:
        wait_until(lambda: b"gateway_started" in self.stdout.read_bytes(), within)


def test_it_serves_over_tls(tmp_path: Path, certificate: Path) -> None:
    cert, key = certificate / "cert.pem", certificate / "key.pem"
    env = {"NEXUS_TLS_CERT": str(cert), "NEXUS_TLS_KEY": str(key)}
    trusting = ssl.create_default_context(cafile=str(cert))

    def ask(path: str, body: bytes = b"") -> bytes:
        verb = "POST" if body else "GET"
        head = f"{verb} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n"
        with (
            socket.create_connection(("127.0.0.1", gateway.port), 5) as plain,
            trusting.wrap_socket(plain, server_hostname="127.0.0.1") as client,
        ):
            client.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            parts = []
            while data := client.recv(65_536):
                parts.append(data)
            return b"".join(parts)

    with ScriptedUpstream() as upstream, SecureGateway(tmp_path, [upstream.url], env) as gateway:
        wait_until(lambda: upstream.probes and b'"state":"ready"' in ask("/v1/services"))
        stream = ask("/v1/chat/completions", json.dumps({"model": "scripted", "stream": True}).encode())
        assert stream.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"data: [DONE]\n\n" in stream
        assert b"400" in ask("/v1/chat/completions", b"{").splitlines()[0]


@pytest.mark.parametrize("content", ["", "no certificate\n"])
def test_a_certificate_that_is_none_is_told_in_one_line(
    environment: Callable[[str, str], None], tmp_path: Path, content: str
) -> None:
    for name in ("CERT", "KEY"):
        (tmp_path / name).write_text(content)
        environment(f"NEXUS_TLS_{name}", str(tmp_path / name))
    environment("NEXUS_PORT", "0")
    with pytest.raises(SettingsError, match=r"^NEXUS_TLS_CERT: "):
        run(load_settings())
