"""`nexus route`: why calls go where they go, by the rules of `routes` in nexus.yaml."""

import json as jsons
import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from nexus.cli.asked import Json, say_json
from nexus.cli.running import AskingError, running_gateway
from nexus.contract.errors import ApiError
from nexus.gateway.config import Config, read_config
from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.routing.router import Router
from nexus.gateway.routing.supposed import Supposed, supposed_call, told_of
from nexus.gateway.shapes.document import ConfigError
from nexus.gateway.shapes.questions import Question
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer

app = typer.Typer(no_args_is_help=True, help="Why calls go where they go.")

_EXPLAIN: Final = "/v1/admin/routes/explain"
_MATCH: Final = {True: "yes", False: "no"}


class _MistakeError(Exception):
    """What was asked cannot be meant so; the message is one line for a person."""


@app.callback()
def route() -> None:
    """Why calls go where they go, by the routes of nexus.yaml."""


@app.command()
def explain(
    model: Annotated[str | None, typer.Option(help="The model that the call names.")] = None,
    operation: Annotated[str, typer.Option(help="What it asks for.")] = "chat.completions",
    token: Annotated[
        str | None, typer.Option(help="Whose call it is: a token's name; else the administrator's.")
    ] = None,
    policy: Annotated[str | None, typer.Option(help="Or anybody's who has this policy.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="A header as name=value; may be given again.")] = None,
    prompt_tokens: Annotated[int | None, typer.Option(help="How long its prompt is, else counted in its body.")] = None,
    stream: Annotated[bool | None, typer.Option("--stream/--no-stream")] = None,
    has_tools: Annotated[bool | None, typer.Option("--has-tools/--no-tools")] = None,
    has_images: Annotated[bool | None, typer.Option("--has-images/--no-images")] = None,
    at: Annotated[
        str | None, typer.Option(help="When, as 2027-01-01T23:00 (UTC, if it says no zone); else now.")
    ] = None,
    body: Annotated[Path | None, typer.Option(help="A file with its body in JSON.")] = None,
    config: Annotated[Path | None, typer.Option(help="Ask this file, and not the running gateway.")] = None,
    json: Json = False,
) -> None:
    """Say rule by rule why it matches a call or not, and what would become of it. Nothing is asked of a model."""
    try:
        question = {
            "model": model,
            "operation": operation,
            "token": token,
            "policy": policy,
            "headers": dict(_pair(one) for one in header or ()),
            "prompt_tokens": prompt_tokens,
            "stream": stream,
            "has_tools": has_tools,
            "has_images": has_images,
            "at": at,
            "body": None if body is None else _read(body),
        }
        told = _asked(question) if config is None else _answered(question, config)
    except (AskingError, ApiError, ConfigError, _MistakeError) as error:
        typer.echo(f"nexus: {error}", err=True)
        raise typer.Exit(1) from None
    say_json(told) if json else typer.echo("\n".join(_lines(told)))


def _asked(question: dict[str, Any]) -> dict[str, Any]:
    """What the running gateway says. Raises AskingError."""
    told: dict[str, Any] = running_gateway(os.environ, Path.cwd()).ask("POST", _EXPLAIN, question)
    return told


def _answered(asked: dict[str, Any], path: Path) -> dict[str, Any]:
    """What a file says, as far as that can be told without services. Raises ConfigError, ApiError, _MistakeError."""
    if not path.is_file():
        raise _MistakeError(f"--config: there is no file {path}")
    config = read_config(path)
    try:
        question = Question.model_validate(asked)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where, why = first["loc"][0] if first["loc"] else "", first["msg"].removeprefix("Value error, ")
        raise _MistakeError(f"{where}: {why}") from error
    nobody = Snapshot()
    router = Router(Views(lambda: nobody), os.environ.get("NEXUS_REGION", ""))
    router.hold(config.routes, config.aliases)
    call = supposed_call(question, _caller(question, config), nobody)
    supposed = Supposed(router.ask(call), question)
    led: Call | None = None
    refusal: ApiError | None = None
    try:
        led = router.lead(call, supposed) if config.routes else call
    except ApiError as error:
        refusal = error
    return {**told_of(call, config.routes, supposed, led, refusal), "targets": None}


def _caller(question: Question, config: Config) -> Bearer:
    """Who is meant; of tokens, a file knows those that are declared in it. Raises _MistakeError."""
    if question.token is not None and question.policy is not None:
        raise _MistakeError("token and policy: a token has its own policy; name one of the two")
    if question.token is not None:
        declared = [token for token in config.tokens if token.name == question.token]
        if not declared:
            raise _MistakeError(f"--token: the file declares no token {question.token!r}; name its --policy")
        return Bearer(declared[0].name, declared[0].policy)
    policy: Policy | None = None
    if question.policy is not None:
        policy = config.policies.get(question.policy)
        if policy is None:
            raise _MistakeError(f"--policy: the file has no policy {question.policy!r}")
        return Bearer("", policy)
    return Bearer("administrator", config.policies.get("administrator"))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise _MistakeError(f"--header: {text!r} is not of the form name=value")
    return name, value


def _read(path: Path) -> Any:
    try:
        value = jsons.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _MistakeError(f"--body: {path} holds no JSON that can be read: {error}") from error
    if not isinstance(value, dict):
        raise _MistakeError(f"--body: {path} holds no JSON object")
    return value


def _lines(told: dict[str, Any]) -> list[str]:
    """The answer for people."""
    lines = [line for rule in told["rules"] for line in _rule_lines(rule)] or ["no rules"]
    if told["status"] != 200:
        end = f"{told['status']}: {told['message']}"
    elif told["targets"] is None:
        end = f"goes to the model {told['model'] or 'that its service has'}; where that is, a running gateway knows"
    else:
        places = [f"{one['model'] or '-'} at {one['instance']} ({one['service']})" for one in told["targets"]]
        end = f"goes to {', then '.join(places)}"
    rule = "no rule matches" if told["rule"] is None else f"rule {told['rule']} decides"
    return [*lines, f"{rule}: {end}"]


def _rule_lines(rule: dict[str, Any]) -> list[str]:
    lines = [f"{rule['rule']:>3}  {_MATCH[rule['matches']]:<3}  {rule['action']}"]
    for one in rule["conditions"]:
        found = one["found"] or "not there"
        what = f"{one['condition']} is {found}"
        lines.append(f"          {what}" + (f", as {one['wanted']}" if one["holds"] else f", not {one['wanted']}"))
    return lines
