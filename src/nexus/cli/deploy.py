"""`nexus deploy`: a Compose file or a cluster's objects from the services' manifests and one site file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nexus.cli.deploy_k8s import k8s
from nexus.cli.site_plan import SiteFile, plan_here
from nexus.deploy.compose.render import render, render_gpu
from nexus.deploy.secrets import ensure_secrets
from nexus.deploy.site import GpuKind, SiteError

app = typer.Typer(no_args_is_help=True, help="Render what containers and clusters need.")
app.command()(k8s)


@app.command()
def compose(
    site: SiteFile = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write it; else standard output.")] = None,
    gpu: Annotated[GpuKind | None, typer.Option(help="Render the override file for GPUs of this kind.")] = None,
) -> None:
    """A Compose file for the site."""
    plan = plan_here(Path.cwd(), site)
    try:
        text = render_gpu(plan, gpu) if gpu else render(plan)
    except SiteError as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(1) from None
    if out is None:
        sys.stdout.write(text)
        return
    out.write_text(text, encoding="utf-8")
    typer.echo(f"written: {out}")


@app.command()
def secrets(folder: Path) -> None:
    """Make the passwords and the administrator's token of a container stack where they are missing."""
    try:
        made = ensure_secrets(folder)
    except OSError as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo("made: " + ", ".join(str(path.relative_to(folder)) for path in made) if made else "nothing was missing")
