"""`nexus deploy`: a Compose file or a cluster's objects from the services' manifests and one site file."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from nexus.deploy.compose.render import render, render_gpu
from nexus.deploy.plan import Plan, make_plan
from nexus.deploy.secrets import ensure_secrets
from nexus.deploy.site import SITE_FILE, GpuKind, Site, SiteError, read_site
from nexus.sdk.manifest import read_manifest
from nexus.sdk.problems import ManifestError
from nexus.stack.config import StackError, find_stack
from nexus.stack.distribution import running_sdk

SiteFile = Annotated[
    Path | None, typer.Option("--site", help=f"The site file; {SITE_FILE} where there is one, else the defaults.")
]
app = typer.Typer(no_args_is_help=True, help="Render what containers and clusters need.")


@app.command()
def compose(
    site: SiteFile = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write it; else standard output.")] = None,
    gpu: Annotated[GpuKind | None, typer.Option(help="Render the override file for GPUs of this kind.")] = None,
) -> None:
    """A Compose file for the site."""
    plan = plan_here(Path.cwd(), site)
    text = render_gpu(plan, gpu) if gpu else render(plan)
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


def plan_here(workdir: Path, site_file: Path | None) -> Plan:
    """The plan for a working folder: its services and its site. Ends the command where one cannot be used."""
    file = site_file or (workdir / SITE_FILE if (workdir / SITE_FILE).exists() else None)
    try:
        site = read_site(file) if file else Site()
        folders = find_stack(workdir, running_sdk().checkout).every_folder()
        return make_plan(site, [read_manifest(folder) for folder in folders], version("nexus-gateway"))
    except (SiteError, StackError, ManifestError) as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(1) from None
