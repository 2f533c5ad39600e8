"""`nexus token`: who may use a running gateway."""

from collections.abc import Iterator
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from nexus.cli.asked import Json, all_of, asked_gateway, say_columns, say_json, say_one, word

app = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke tokens at the running gateway (NEXUS_URL, NEXUS_API_KEY or NEXUS_API_KEY_FILE).",
)

_TOKENS: Final = "/v1/admin/tokens"
_COLUMNS: Final = ("name", "owner", "policy", "state", "expires_at", "last_used_at", "source")

Name = Annotated[str, typer.Argument(help="The token's name, or its id.", show_default=False)]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it goes by, in logs too.", show_default=False)],
    owner: Annotated[str, typer.Option(help="Whose it is, for people.")] = "",
    policy: Annotated[str, typer.Option(help="One of nexus.yaml's policies.")] = "default",
    expires: Annotated[str | None, typer.Option(help="A date or a time, as 2027-01-01; else never.")] = None,
    json: Json = False,
) -> None:
    """Make a token. It is printed once, alone on a line."""
    wanted = {"name": name, "owner": owner, "policy": policy, "expires": expires}
    with asked_gateway() as gateway:
        _say_token(gateway.ask("POST", _TOKENS, wanted), json)


@app.command("list")
def list_tokens(json: Json = False) -> None:
    """All tokens, those of nexus.yaml too."""
    with asked_gateway() as gateway:
        tokens = list(all_of(gateway, _TOKENS))
    say_json(tokens) if json else say_columns(tokens, _COLUMNS)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """One token, but for the secret itself, which nobody has."""
    with asked_gateway() as gateway:
        token = gateway.ask("GET", _path(name))
    if json:
        say_json(token)
        return
    say_one(token, ("id", *_COLUMNS, "created_at", "revoked_at"))
    for line in _usage(token.get("usage")):
        typer.echo(line)


@app.command()
def rotate(name: Name, json: Json = False) -> None:
    """Put a new secret in the place of the old one, which is void within a second. It is printed once."""
    with asked_gateway() as gateway:
        _say_token(gateway.ask("POST", _path(name) + "/rotate"), json)


@app.command()
def revoke(name: Name, json: Json = False) -> None:
    """Let a token in no more, within a second."""
    with asked_gateway() as gateway:
        told = gateway.ask("DELETE", _path(name))
    say_json(told) if json else typer.echo(f"revoked: {told['name']}")


def _path(name: str) -> str:
    return f"{_TOKENS}/{quote(name, safe='')}"


def _say_token(told: dict[str, Any], json: bool) -> None:
    """The secret goes to standard output alone, so that a script can take it; all else to standard error."""
    if json:
        say_json(told)
        return
    until = f", until {word(told, 'expires_at')}" if told["expires_at"] else ""
    typer.echo(f"The token of {told['name']} (policy {told['policy']}{until}); it is not shown again:", err=True)
    typer.echo(told["token"])


def _usage(usage: dict[str, Any] | None) -> Iterator[str]:
    """What was used of budgets, a line for each period; none where there are no budgets."""
    if usage is None:
        return
    for period in ("day", "month"):
        told = usage[period]
        figures = ", ".join(_figure(told[name], name) for name in ("requests", "tokens", "engine_seconds"))
        yield f"used by {period:<5} {figures}, until {word(told, 'ends_at')}"


def _figure(figure: dict[str, Any], name: str) -> str:
    limit = "" if figure["limit"] is None else f" of {figure['limit']}"
    return f"{round(figure['used'], 1):.1f}".removesuffix(".0") + f"{limit} {name.replace('_', '-')}"
