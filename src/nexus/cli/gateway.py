"""`nexus gateway`: the gateway alone, set up by its environment."""

import typer

from nexus.gateway.app import run
from nexus.gateway.settings import SettingsError, load_settings


def gateway() -> None:
    """Run the gateway alone, set up by its environment variables."""
    try:
        settings = load_settings()
    except SettingsError as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(2) from None
    run(settings)
