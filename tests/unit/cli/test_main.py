"""The command line's root: what there is, and that no more is imported than is called."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from nexus.cli.main import make_app


def test_the_help_lists_every_command() -> None:
    said = CliRunner().invoke(make_app(), ["--help"]).output
    for name in ("up", "gateway", "service", "token", "doctor"):
        assert f" {name} " in said


def test_the_version() -> None:
    result = CliRunner().invoke(make_app("--version"), ["--version"])
    assert (result.exit_code, result.output) == (0, f"{version('nexus-gateway')}\n")


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(make_app("upp"), ["upp"])
    assert result.exit_code == 2
    assert "No such command 'upp'" in result.output


def test_the_gateway_is_started_without_the_stack() -> None:
    code = "import sys; from nexus.cli.main import make_app; make_app('gateway'); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "nexus.gateway.app" in said.split()
    assert not any(name.startswith(("nexus.stack", "nexus.sdk")) for name in said.split())


def test_it_is_a_module_too() -> None:
    command = [sys.executable, "-m", "nexus.cli", "--version"]
    assert subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.strip()


@pytest.mark.parametrize("command", ["up", "gateway"])
def test_each_command_has_a_help(command: str) -> None:
    result = CliRunner().invoke(make_app(command), [command, "--help"])
    assert result.exit_code == 0
