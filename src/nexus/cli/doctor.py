"""`nexus doctor`: what is missing on this host, and what to do about it."""

import time
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from nexus.deploy.plan import make_plan
from nexus.deploy.site import SITE_FILE, SiteError, read_site
from nexus.sdk.manifest import ServiceManifest
from nexus.stack.doctor.examine import CHECK_SECONDS, Bounded, Broken, Late, examine, findings_of
from nexus.stack.doctor.gather import SiteFileError, gather, state_of
from nexus.stack.doctor.report import as_json, as_text, worst
from nexus.stack.doctor.values import Host


def doctor(
    profile: Annotated[
        list[str] | None,
        typer.Option("--profile", "-p", help="Count the services of this profile in; may be repeated."),
    ] = None,
    site: Annotated[Path | None, typer.Option("--site", help=f"The site file; {SITE_FILE} where there is one.")] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look at this host and say what is missing for Nexus, and what to do; exit status 1 if there is a problem."""
    workdir = Path.cwd()
    reading = Bounded("doctor-files", lambda: gather(workdir, profile or (), partial(check_site, workdir, site)))
    read = reading.result(time.monotonic() + CHECK_SECONDS)
    if isinstance(read, Late | Broken):
        files, host = findings_of(read, CHECK_SECONDS), Host(workdir, state_of(workdir))
    else:
        host, files = read
    findings = [*(replace(finding, check="files") for finding in files), *examine(host)]
    typer.echo(as_json(findings) if json else as_text(findings))
    if worst(findings) == "problem":
        raise typer.Exit(1)


def check_site(workdir: Path, given: Path | None, manifests: list[ServiceManifest]) -> str | None:
    """Read the site file, if there is one, and plan by it. Raises SiteFileError."""
    file = given or workdir / SITE_FILE
    if given is None and not file.exists():
        return None
    try:
        make_plan(read_site(file), manifests, version("nexus-gateway"))
    except SiteError as error:
        raise SiteFileError(str(error)) from error
    return file.name
