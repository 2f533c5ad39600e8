import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nexus.cli.main import make_app


@pytest.fixture(autouse=True)
def in_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(make_app("tls"), ["tls", *arguments])
    return result.exit_code, result.output


def test_it_says_what_was_made_and_how_to_use_it(tmp_path: Path) -> None:
    status, told = run("dev-cert", "box.lan")
    assert status == 0
    assert "for localhost, 127.0.0.1, ::1, box.lan, until 20" in told
    assert "NEXUS_TLS_CERT=.nexus/tls/cert.pem NEXUS_TLS_KEY=.nexus/tls/key.pem" in told
    assert "NEXUS_CA_CERT=.nexus/tls/ca.pem" in told
    assert f"curl --cacert {tmp_path}/.nexus/tls/ca.pem" in told
    assert (tmp_path / ".nexus" / "tls" / "cert.pem").exists()
    status, told = run("dev-cert")
    assert status == 0
    assert "as it was" in told
    assert "--cacert" not in told


def test_a_mistake_is_one_line() -> None:
    status, told = run("dev-cert", "http://box")
    assert (status, told) == (1, "nexus: 'http://box' is neither a host name nor an address\n")


def test_another_folder_is_taken(tmp_path: Path) -> None:
    assert run("dev-cert", "--folder", "elsewhere")[0] == 0
    assert (tmp_path / "elsewhere" / "ca-key.pem").exists()
    assert not (tmp_path / ".nexus").exists()


def test_the_gateway_starts_without_the_library_that_makes_certificates() -> None:
    code = "import sys, nexus.cli.gateway; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
