"""What `nexus deploy` starts from: the services and the site file of a working folder."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from nexus.deploy.plan import Plan, make_plan
from nexus.deploy.site import SITE_FILE, Site, SiteError, read_site
from nexus.sdk.manifest import read_manifest
from nexus.sdk.problems import ManifestError
from nexus.stack.config import StackError, find_stack
from nexus.stack.distribution import running_sdk

SiteFile = Annotated[
    Path | None, typer.Option("--site", help=f"The site file; {SITE_FILE} where there is one, else the defaults.")
]


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
