"""`nexus service`: make a service, run one, hold one to the contract."""

import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nexus.sdk.conformance.launch import launched
from nexus.sdk.conformance.run import Result, run_checks
from nexus.sdk.manifest import FILE_NAME, read_manifest
from nexus.sdk.problems import ServiceError
from nexus.sdk.scaffold.new import destination, new_service

app = typer.Typer(help="Make, run and check services.", no_args_is_help=True)

_COLOURS = {"pass": "green", "fail": "red", "skip": "yellow"}
Here = Annotated[bool, typer.Option("--here", help="Use this Python instead of an environment of the service's own.")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Its name: lower-case letters, digits and dashes.")],
    into: Annotated[Path | None, typer.Option(help="Folder to make it in (else ./services if there, else .).")] = None,
) -> None:
    """Make a new service: a small whole one to start from."""
    try:
        folder = new_service(name, into or destination(Path.cwd()))
    except ServiceError as error:
        _refuse(str(error))
    typer.echo(f"made {folder}\n  nexus service check {folder}\n  nexus service run {folder}")


@app.command()
def run(
    service: Annotated[str, typer.Argument(help="A folder, or the name of one under ./services.")],
    host: Annotated[str | None, typer.Option(help="Address to listen on (else NEXUS_SERVICE_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (else NEXUS_SERVICE_PORT).")] = None,
    here: Here = False,
) -> None:
    """Run one service in the foreground, in an environment of its own."""
    folder = _folder(service)
    arguments = [str(_python(folder, here)), "-m", "nexus.sdk.serve", str(folder)]
    arguments += ["--host", host] if host else []
    arguments += ["--port", str(port)] if port is not None else []
    sys.stdout.flush()
    os.execv(arguments[0], arguments)  # noqa: S606 - the service takes this process's place, signals and all


@app.command()
def check(
    service: Annotated[str, typer.Argument(help="A URL, a folder, or the name of one under ./services.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait until it is ready.", min=0)] = 60,
    here: Here = False,
) -> None:
    """Hold a service to the contract. A folder is started for it, on a free port. Exit 1 if a check fails."""
    try:
        with _reachable(service, here) as url:
            results = run_checks(url, wait)
    except ServiceError as error:
        _refuse(str(error))
    if as_json:
        typer.echo(json.dumps([_plain(result) for result in results], indent=2))
    else:
        _show(service, results)
    if any(result.status == "fail" for result in results):
        raise typer.Exit(1)


def _reachable(service: str, here: bool) -> AbstractContextManager[str]:
    """The service's base URL, for as long as it is needed."""
    if service.startswith(("http://", "https://")):
        return nullcontext(service)
    folder = _folder(service)
    return launched(folder, _python(folder, here))


def _folder(service: str) -> Path:
    """The service folder that the argument means. Exits with one line if there is none, or one that cannot be read."""
    candidates = (Path(service), Path("services") / service)
    folder = next((path for path in candidates if (path / FILE_NAME).is_file()), None)
    if folder is None:
        _refuse(f"{service}: neither a URL nor a folder with a {FILE_NAME}, here or under ./services")
    try:
        read_manifest(folder)
    except ServiceError as error:
        _refuse(str(error))
    return folder


def _python(folder: Path, here: bool) -> Path:
    """The interpreter that the service runs under; its environment is made if need be."""
    if here:
        return Path(sys.executable)
    from nexus.stack.config import STACK_FILE, StackError, read_stack  # noqa: PLC0415 - not needed to look at a URL
    from nexus.stack.environments import ensure_environment  # noqa: PLC0415
    from nexus.stack.uv import UvError  # noqa: PLC0415

    def tell(line: str) -> None:
        typer.echo(f"{folder.name}: {line}", err=True)

    stack_file = Path(STACK_FILE)
    try:  # with the extras that `nexus up` would give it here: they share the environment
        extras = read_stack(stack_file).override(folder.resolve().name).extras if stack_file.exists() else ()
        return ensure_environment(folder, Path(".nexus"), tell, extras=extras)
    except StackError as error:
        _refuse(str(error))
    except (UvError, OSError) as error:
        _refuse(f"{folder}: its environment cannot be made: {error}")


def _refuse(line: str) -> NoReturn:
    typer.echo(f"nexus: {line}", err=True)
    raise typer.Exit(2)


def _plain(result: Result) -> dict[str, str | float]:
    return {
        "name": result.check.name,
        "holds": result.check.holds,
        "why": result.check.why,
        "status": result.status,
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
    }


def _show(service: str, results: list[Result]) -> None:
    table = Table(title=escape(service), title_justify="left")
    for column in ("check", "", "what it holds, or why it does not"):
        table.add_column(column)
    for result in results:
        colour = _COLOURS[result.status]
        table.add_row(result.check.name, f"[{colour}]{result.status}[/]", escape(result.reason or result.check.holds))
    counts = {status: sum(result.status == status for result in results) for status in _COLOURS}
    console = Console()
    console.print(table)
    console.print(", ".join(f"{count} {status}" for status, count in counts.items()))
