"""`nexus user`: who may sign in at a running gateway."""

from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from nexus.cli.asked import Json, all_of, asked_gateway, say_columns, say_json, say_one
from nexus.cli.running import AskingError

app = typer.Typer(
    no_args_is_help=True,
    help="Make, change and delete users at the running gateway (NEXUS_URL, NEXUS_API_KEY or NEXUS_API_KEY_FILE).",
)

_USERS: Final = "/v1/admin/users"
_COLUMNS: Final = ("name", "role", "policy", "disabled", "signed_in_at", "issuer")

Name = Annotated[str, typer.Argument(help="The user's name, or its id.", show_default=False)]
PasswordFile = Annotated[
    Path | None, typer.Option(help="A file whose first line is the password; else one is made, and printed once.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What to sign in with.", show_default=False)],
    role: Annotated[str, typer.Option(help="admin, user or viewer.")] = "user",
    policy: Annotated[str, typer.Option(help="One of nexus.yaml's policies.")] = "default",
    password_file: PasswordFile = None,
    json: Json = False,
) -> None:
    """Make a user. A password that is made is printed once, alone on a line."""
    with asked_gateway() as gateway:
        wanted = {"name": name, "role": role, "policy": policy, "password": _password(password_file)}
        _say(gateway.ask("POST", _USERS, wanted), json)


@app.command("list")
def list_users(json: Json = False) -> None:
    """All users."""
    with asked_gateway() as gateway:
        users = list(all_of(gateway, _USERS))
    say_json(users) if json else say_columns(users, _COLUMNS)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """One user."""
    with asked_gateway() as gateway:
        user = gateway.ask("GET", _path(name))
    say_json(user) if json else say_one(user, ("id", *_COLUMNS, "created_at"))


@app.command()
def passwd(name: Name, password_file: PasswordFile = None, json: Json = False) -> None:
    """Give a user another password, and end all its sessions."""
    with asked_gateway() as gateway:
        _say(gateway.ask("POST", _path(name) + "/password", {"password": _password(password_file)}), json)


@app.command()
def change(
    name: Name,
    role: Annotated[str | None, typer.Option(help="admin, user or viewer.")] = None,
    policy: Annotated[str | None, typer.Option(help="One of nexus.yaml's policies.")] = None,
    json: Json = False,
) -> None:
    """Give a user another role or policy."""
    _change(name, {"role": role, "policy": policy}, "changed", json)


@app.command()
def disable(name: Name, json: Json = False) -> None:
    """Let a user in no more, nor any of its tokens; all its sessions end."""
    _change(name, {"disabled": True}, "disabled", json)


@app.command()
def enable(name: Name, json: Json = False) -> None:
    """Let a user in again, and its tokens."""
    _change(name, {"disabled": False}, "enabled", json)


@app.command()
def delete(name: Name, json: Json = False) -> None:
    """Delete a user with its tokens and sessions. Its name stays taken: its jobs and files are still there."""
    with asked_gateway() as gateway:
        told = gateway.ask("DELETE", _path(name))
    say_json(told) if json else typer.echo(f"deleted: {told['name']}")


def _change(name: str, values: dict[str, Any], done: str, json: bool) -> None:
    with asked_gateway() as gateway:
        told = gateway.ask("PATCH", _path(name), values)
    say_json(told) if json else typer.echo(f"{done}: {told['name']}")


def _path(name: str) -> str:
    return f"{_USERS}/{quote(name, safe='')}"


def _password(path: Path | None) -> str | None:
    """What the file says. Raises AskingError."""
    if path is None:
        return None
    try:
        return (path.read_text(encoding="utf-8").splitlines() or [""])[0]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise AskingError(f"{path} cannot be read: {reason}") from error


def _say(told: dict[str, Any], json: bool) -> None:
    """The password goes to standard output alone, so that a script can take it; all else to standard error."""
    if json:
        say_json(told)
        return
    made = "password" in told
    ending = "; the password is not shown again:" if made else "."
    typer.echo(f"{told['name']} (role {told['role']}, policy {told['policy']}){ending}", err=True)
    if made:
        typer.echo(told["password"])
