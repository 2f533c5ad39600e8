"""What is settled before a stack starts."""

import socket
import stat
from pathlib import Path

import pytest

from nexus.gateway.settings import load_settings
from nexus.stack.config import Stack, StackError
from nexus.stack.plan import gateway_environment, make_plan, refuse_taken_port, state_folder
from nexus.stack.supervisor import Address


def stack(**env: str) -> Stack:
    return Stack.model_validate({"gateway": {"env": env}})


def test_secrets_are_made_once(tmp_path: Path) -> None:
    state = state_folder(tmp_path)
    env = gateway_environment(stack(), {}, state)
    assert gateway_environment(stack(), {}, state) == env
    assert env["NEXUS_API_KEY"] == (state.root / "api_key").read_text().strip()
    assert stat.S_IMODE((state.root / "registration_secret").stat().st_mode) == 0o600
    assert env["NEXUS_STACK_FILE"] == str(state.listing)


@pytest.mark.parametrize("name", ["NEXUS_API_KEY", "NEXUS_API_KEY_FILE"])
def test_a_given_token_is_left_alone(tmp_path: Path, name: str) -> None:
    env = gateway_environment(stack(), {name: "given"}, state_folder(tmp_path))
    assert env[name] == "given"
    assert ("NEXUS_API_KEY" in env) is (name == "NEXUS_API_KEY")
    assert not (tmp_path / ".nexus" / "api_key").exists()


def test_the_shell_goes_over_the_stack_file(tmp_path: Path) -> None:
    env = gateway_environment(stack(NEXUS_PORT="1", NEXUS_HOST="::1"), {"NEXUS_PORT": "2"}, state_folder(tmp_path))
    assert (env["NEXUS_PORT"], env["NEXUS_HOST"]) == ("2", "::1")


def test_port_0_is_a_free_one_that_stays(tmp_path: Path) -> None:
    state = state_folder(tmp_path)
    port = gateway_environment(stack(), {"NEXUS_PORT": "0"}, state)["NEXUS_PORT"]
    assert int(port) > 0
    assert gateway_environment(stack(), {"NEXUS_PORT": "0"}, state)["NEXUS_PORT"] == port


def test_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_API_KEY", "sk-1")
    monkeypatch.setenv("NEXUS_HOST", "0.0.0.0")
    environ = {"NEXUS_DRAIN_SECONDS": "3"}
    plan = make_plan(stack(), state_folder(tmp_path), tmp_path, environ, load_settings(), {})
    assert (plan.gateway.token, plan.drain_seconds) == ("sk-1", 3.0)
    assert plan.gateway.address.url == "http://127.0.0.1:8800"
    assert plan.gateway.command[1:] == ("-m", "nexus.cli", "gateway")
    with pytest.raises(StackError, match="NEXUS_DRAIN_SECONDS: 'soon'"):
        make_plan(stack(), state_folder(tmp_path), tmp_path, {"NEXUS_DRAIN_SECONDS": "soon"}, load_settings(), {})


def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StackError, match=f"port {port} on 127.0.0.1 is taken by .* with NEXUS_PORT"):
            refuse_taken_port(Address("127.0.0.1", port))
    refuse_taken_port(Address("127.0.0.1", port))
