"""The containers' health check, run as they run it, against servers that answer well, badly and not at all."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PROBE = Path(__file__).resolve().parents[3] / "deploy" / "probe.py"


class Answering(BaseHTTPRequestHandler):
    """Answers `/readyz` with the server's `status`, everything else with 404."""

    def do_GET(self) -> None:
        body = b'{"status":"starting","reason":"loading"}'
        self.send_response(self.server.status if self.path == "/readyz" else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as serving:
        serving.status = 200
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def probe(port: int, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(PROBE), "NEXUS_PORT"]
    environ = {"PATH": os.environ["PATH"], "NEXUS_PORT": str(port), **more}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=20, check=False)


def test_ready_is_healthy(server: ThreadingHTTPServer) -> None:
    assert (probe(server.server_port).returncode, probe(server.server_port).stdout) == (0, "")


def test_not_ready_is_unhealthy_and_tells_the_reason(server: ThreadingHTTPServer) -> None:
    server.status = 503
    said = probe(server.server_port)
    assert said.returncode == 1
    assert "503" in said.stdout
    assert '"reason":"loading"' in said.stdout


def test_nobody_listening_is_unhealthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    said = probe(port)
    assert said.returncode == 1
    assert said.stdout.startswith(f"port {port}: ")
    assert said.stderr == ""


def test_what_is_not_tls_is_unhealthy_where_the_gateway_has_a_certificate(server: ThreadingHTTPServer) -> None:
    said = probe(server.server_port, NEXUS_TLS_CERT="/run/secrets/cert")
    assert said.returncode == 1
    assert said.stderr == ""


@pytest.mark.parametrize("variable", ["NEXUS_TLS_CERT", "NEXUS_TLS_CERT_FILE"])
def test_a_certificate_of_any_name_will_do(server: ThreadingHTTPServer, tmp_path: Path, variable: str) -> None:
    import ssl

    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["-nodes", "-subj", "/CN=elsewhere.example", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", *made], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    said = probe(server.server_port, **{variable: "/run/secrets/cert"})
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
