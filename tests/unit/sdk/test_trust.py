"""A gateway whose certificate is by an authority of the operator's own: asked and announced at, or not."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexus.sdk.announce import announcer
from nexus.sdk.asking import Asker
from nexus.sdk.environment import read_settings
from nexus.sdk.manifest import read_manifest
from nexus.sdk.problems import SettingError
from nexus.sdk.trust import trusting
from nexus.stack.authority import Folder, renew
from tests.unit.deploy.test_plan import manifest


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"heartbeat_seconds": 5}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "tls")
    renew(folder, ())
    return folder


@pytest.fixture
def gateway(folder: Folder) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder.certificate, folder.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("trusted", [True, False])
async def test_the_gateway_is_asked_where_its_authority_is_trusted(gateway: str, folder: Folder, trusted: bool) -> None:
    asker = Asker((), 5, folder.authority if trusted else None)
    question = asker._sent(f"{gateway}/v1/chat/completions", {}, b"{}")
    if trusted:
        assert (await question)[0] == 200
    else:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await question
    await asker.close()


@pytest.mark.parametrize("trusted", [True, False])
async def test_the_service_is_announced_where_its_authority_is_trusted(
    gateway: str, folder: Folder, tmp_path: Path, trusted: bool
) -> None:
    given = {"NEXUS_GATEWAY_URL": gateway, "NEXUS_REGISTRATION_SECRET": "hush"}
    if trusted:
        given["NEXUS_CA_CERT"] = str(folder.authority)
    speaker = announcer(read_settings(read_manifest(manifest(tmp_path / "words").folder), given), 8000)
    assert speaker is not None
    async with httpx.AsyncClient(verify=speaker._trust, trust_env=False) as client:
        await speaker._beat(client)
    assert (speaker._trouble is None) == trusted


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_an_authority_that_cannot_be_used_stops_the_start(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingError, match=r"^NEXUS_CA_CERT: '.*ca\.pem' cannot be used: "):
        read_settings(read_manifest(manifest(tmp_path / "words").folder), {"NEXUS_CA_CERT": str(path)})


def test_the_usual_authorities_stay(folder: Folder) -> None:
    usual = {one["serialNumber"] for one in trusting(None).get_ca_certs()}
    assert usual < {one["serialNumber"] for one in trusting(folder.authority).get_ca_certs()}
