"""`nexus deploy k8s`: a folder of a cluster's objects, or the Helm chart's values, for the site."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from nexus.cli.site_plan import SiteFile, plan_here
from nexus.deploy.kubernetes.render import is_rendered, render
from nexus.deploy.kubernetes.values import VALUES, render_values
from nexus.deploy.site import SiteError


def k8s(
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write; what was rendered there before goes.")],
    site: SiteFile = None,
    helm_values: Annotated[
        bool, typer.Option("--helm-values", help=f"Write only {VALUES} for the Helm chart.")
    ] = False,
) -> None:
    """A folder for `kubectl apply --kustomize`, for the site."""
    plan = plan_here(Path.cwd(), site)
    try:
        if helm_values:
            _write(out, {VALUES: render_values(plan)})
        else:
            files = render(plan)
            _remove_stale(out, files)
            _write(out, files)
    except (SiteError, OSError) as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(1) from None


def _write(out: Path, files: Mapping[str, str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    typer.echo(f"written: {len(files)} {'file' if len(files) == 1 else 'files'} in {out}")


def _remove_stale(out: Path, files: Mapping[str, str]) -> None:
    """Files of services that are no more; what somebody wrote by hand is left alone."""
    for path in out.glob("*.yaml"):
        if path.name not in files and is_rendered(path.read_text(encoding="utf-8")):
            path.unlink()
