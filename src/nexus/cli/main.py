"""The console command `nexus`: one table of its subcommands, of which only the one that is called is imported."""

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Final

import typer

_COMMANDS: Final = {
    "up": ("nexus.cli.up", "up"),
    "gateway": ("nexus.cli.gateway", "gateway"),
    "service": ("nexus.cli.service", "app"),
    "token": ("nexus.cli.token", "app"),
    "user": ("nexus.cli.user", "app"),
    "route": ("nexus.cli.route", "app"),
    "deploy": ("nexus.cli.deploy", "app"),
    "doctor": ("nexus.cli.doctor", "doctor"),
    "tls": ("nexus.cli.tls", "app"),
}
"""For each subcommand, the module and what in it is the command (a function) or the group of commands (a Typer)."""


def make_app(called: str | None = None) -> typer.Typer:
    """The command line with the subcommand `called` alone, or with all of them if there is none of that name."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_nexus)
    for name in (called,) if called in _COMMANDS else _COMMANDS:
        module, attribute = _COMMANDS[name]
        part = getattr(import_module(module), attribute)
        if isinstance(part, typer.Typer):
            app.add_typer(part, name=name)
        else:
            app.command(name)(part)
    return app


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(version("nexus-gateway"))
        raise typer.Exit


def _nexus(
    _version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_say_version)] = False,
) -> None:
    """One address for every kind of AI that you run yourself."""


def main() -> None:
    """The entry point."""
    make_app(sys.argv[1] if len(sys.argv) > 1 else None)(prog_name="nexus")
