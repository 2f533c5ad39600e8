"""What there is for users, as the settings want it."""

import subprocess
import sys

import pytest

from nexus.gateway.edge.auth import Keyring
from nexus.gateway.settings import load_settings
from nexus.gateway.users.composition import create_visitors


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_USERS", "on")


def test_none_where_there_are_no_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_USERS", "off")
    assert create_visitors(load_settings(), Keyring()) is None


@pytest.mark.parametrize(("url", "secure"), [("", False), ("http://box:8800", False), ("https://ai.example", True)])
def test_cookies_are_for_tls_alone_where_clients_come_over_it(
    monkeypatch: pytest.MonkeyPatch, url: str, secure: bool
) -> None:
    monkeypatch.setenv("NEXUS_PUBLIC_URL", url)
    visitors = create_visitors(load_settings(), Keyring())
    assert visitors is not None
    assert visitors.cookies.secure is secure


def test_without_users_neither_argon2_nor_authlib_is_imported() -> None:
    script = "import sys, nexus.gateway.app; print({'argon2', 'authlib', 'joserfc'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
