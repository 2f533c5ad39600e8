"""`nexus tls`: certificates for the gateway, by an authority of this machine's own."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from nexus.stack.authority import AuthorityError, Folder, Made, renew

app = typer.Typer(no_args_is_help=True, help="Certificates for the gateway.")

_FOLDER: Final = Path(".nexus/tls")


@app.callback()
def _tls() -> None:
    """Certificates for the gateway."""  # a callback keeps `dev-cert` a word of its own while it is the only command


@app.command("dev-cert")
def dev_cert(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Further host names and addresses; none: those of the certificate that is there."),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where authority, certificate and keys lie.")] = _FOLDER,
) -> None:
    """Make, or renew, a certificate for this machine. Run it again before it ends: a running gateway takes it up."""
    place = Folder(folder)
    try:
        made = renew(place, names or ())
    except (AuthorityError, OSError) as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(report(place, made))


def report(folder: Folder, made: Made) -> str:
    """What was made, how the gateway is told of it and how clients are."""
    authority = os.path.abspath(folder.authority)
    trust = [
        "Clients have to trust the authority, once:",
        f"  curl         curl --cacert {authority} …",
        f"  Python       SSL_CERT_FILE={authority} (or verify=… in httpx)",
        f"  Node         NODE_EXTRA_CA_CERTS={authority}",
        "  the system, and browsers: docs/tls.md",
    ]
    return "\n".join(
        [
            f"certificate  {folder.certificate}, for {', '.join(made.names)}, until {made.until:%Y-%m-%d}",
            f"authority    {folder.authority}, {'made now' if made.new_authority else 'as it was'}; its key stays here",
            "",
            "The gateway uses it with these, and reads it again when it changes:",
            f"  NEXUS_TLS_CERT={folder.certificate} NEXUS_TLS_KEY={folder.key}",
            "and services that ask the gateway themselves with this:",
            f"  NEXUS_CA_CERT={folder.authority}",
            *(["", *trust] if made.new_authority else []),
        ]
    )
