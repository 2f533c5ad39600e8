"""Commands as an administrator types them who has told the environment of a gateway."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from nexus.cli.main import make_app
from tests.servers.gateway import TOKEN, Gateway

Type = Callable[..., Result]


def typed_at(gateway: Gateway, command: str, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Runs `nexus` with this command and the words that follow it."""
    monkeypatch.setenv("NEXUS_URL", gateway.url)
    monkeypatch.setenv("NEXUS_API_KEY", TOKEN)

    def run(*words: str) -> Result:
        return CliRunner().invoke(make_app(command), [command, *words])

    return run
