"""`nexus gateway`: the gateway alone, set up by its environment."""

import typer

from nexus.gateway.app import run
from nexus.gateway.settings import SettingsError, load_settings
from nexus.gateway.shapes.document import ConfigError


def gateway() -> None:
    """Run the gateway alone, set up by its environment variables."""
    try:
        status = run(load_settings())
    except (SettingsError, ConfigError) as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(status)
