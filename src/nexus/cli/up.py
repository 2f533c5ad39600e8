"""`nexus up`: the gateway and all services of this folder's stack, in the foreground, until Ctrl-C."""

import os
import sys
from pathlib import Path

import typer

from nexus.gateway.config import CONFIG_FILE, read_config
from nexus.gateway.settings import SettingsError, load_settings
from nexus.gateway.shapes.document import ConfigError
from nexus.stack.config import StackError, find_stack
from nexus.stack.distribution import running_sdk
from nexus.stack.plan import gateway_environment, make_plan, refuse_taken_port, state_folder
from nexus.stack.state import only_one
from nexus.stack.supervisor import run_stack
from nexus.stack.terminal import Terminal


def up() -> None:
    """Start the gateway and the services of this folder's stack; Ctrl-C ends them."""
    try:
        run_here(Path.cwd())
    except (SettingsError, ConfigError) as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(2) from None
    except (StackError, OSError) as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(1) from None


def run_here(workdir: Path) -> None:
    """Run the stack of a folder to its end.

    Raises SettingsError, ConfigError, StackError and OSError where it cannot start.
    """
    environ = dict(os.environ)
    state = state_folder(workdir)
    stack = find_stack(workdir, running_sdk().checkout)
    gateway_env = gateway_environment(stack, environ, state)
    os.environ.update(gateway_env)  # what the gateway will read is checked here, before anything is started
    settings = load_settings()
    read_config(settings.config or workdir / CONFIG_FILE)
    plan = make_plan(stack, state, workdir, environ, settings, gateway_env)
    with only_one(state, plan.gateway.address.url):
        refuse_taken_port(plan.gateway.address)
        run_stack(plan, Terminal(sys.stdout))
