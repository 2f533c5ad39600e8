"""How commands find the running gateway, and what they make of what it answers."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nexus.cli.running import AskingError, RunningGateway, running_gateway
from tests.servers.gateway import free_port


class Answering(ThreadingHTTPServer):
    """Answers with what a test has put there, and keeps what it was asked."""

    status = 200
    body = b"{}"
    asked: tuple[str, str, str, bytes] = ("", "", "", b"")


class Handler(BaseHTTPRequestHandler):
    server: Answering

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.server.asked = (self.command, self.path, self.headers["authorization"], content)
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the base class calls them so

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Answering]:
    server = Answering(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def gateway(server: Answering) -> RunningGateway:
    return RunningGateway(f"http://127.0.0.1:{server.server_port}/behind/", "sk-root")


def test_it_asks_with_the_key_and_takes_json(server: Answering, gateway: RunningGateway) -> None:
    server.body = b'{"a": [1]}'
    assert gateway.ask("POST", "/v1/x", {"n": "\xe4"}) == {"a": [1]}
    assert server.asked == ("POST", "/behind/v1/x", "Bearer sk-root", b'{"n": "\\u00e4"}')
    gateway.ask("DELETE", "/v1/x")
    assert server.asked == ("DELETE", "/behind/v1/x", "Bearer sk-root", b"")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b'{"error": {"message": "There is\\nno such."}}', r"^There is no such\.$"),
        (500, b"<html>", r"answered GET /v1/x with 500$"),
        (404, b'{"error": "odd"}', r"answered GET /v1/x with 404$"),
        (200, b"<html>", r"answered GET /v1/x with 200$"),
        (302, b"{}", r"answered GET /v1/x with 302$"),
    ],
)
def test_what_is_no_success_is_one_line(
    server: Answering, gateway: RunningGateway, status: int, body: bytes, message: str
) -> None:
    server.status, server.body = status, body
    with pytest.raises(AskingError, match=message):
        gateway.ask("GET", "/v1/x")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_that_is_not_there_is_told_with_its_address(scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{free_port()}"
    with pytest.raises(AskingError, match=f"^the gateway at {url} cannot be reached: .*refused"):
        RunningGateway(url, "sk-root").ask("GET", "/v1/x")


def test_where_it_is_and_with_which_key(tmp_path: Path) -> None:
    (tmp_path / ".nexus").mkdir()
    (tmp_path / ".nexus" / "api_key").write_text("sk-kept\n")
    (tmp_path / "secret").write_text("sk-file\n")
    assert running_gateway({}, tmp_path) == RunningGateway("http://127.0.0.1:8800", "sk-kept")
    assert running_gateway({"NEXUS_API_KEY": "sk-given", "NEXUS_URL": "https://nexus.lan"}, tmp_path) == (
        RunningGateway("https://nexus.lan", "sk-given")
    )
    assert running_gateway({"NEXUS_API_KEY_FILE": str(tmp_path / "secret")}, tmp_path).key == "sk-file"
    assert "sk-kept" not in repr(running_gateway({}, tmp_path))


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, r"^NEXUS_API_KEY: it is needed, and .*api_key cannot be read: No such file"),
        ({"NEXUS_API_KEY_FILE": "/nowhere/key"}, r"^NEXUS_API_KEY_FILE: .* /nowhere/key cannot be read: No such file"),
        ({"NEXUS_API_KEY": "a", "NEXUS_API_KEY_FILE": "b"}, r"^NEXUS_API_KEY: it is given twice"),
        ({"NEXUS_API_KEY": "a\r\nb: c"}, "printable"),
        ({"NEXUS_API_KEY": "a", "NEXUS_URL": "nexus.lan:8800"}, r"^NEXUS_URL: 'nexus\.lan:8800' is not of the form"),
        ({"NEXUS_API_KEY": "a", "NEXUS_URL": "http://"}, r"^NEXUS_URL: "),
        ({"NEXUS_API_KEY": "a", "NEXUS_URL": "http://x:99999"}, r"^NEXUS_URL: "),
    ],
)
def test_what_cannot_be_used_is_told_by_its_name(tmp_path: Path, environ: dict[str, str], message: str) -> None:
    with pytest.raises(AskingError, match=message):
        running_gateway(environ, tmp_path)
