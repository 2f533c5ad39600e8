"""The card: valid, small, fast, steady, and true about its models and tools."""

import time

import jsonschema
from jsonschema.exceptions import SchemaError

from nexus.sdk.conformance.target import Target, fail, require, require_json, skip

LARGEST_BYTES = 1024 * 1024
PROMPT_SECONDS = 1.0


def card_valid(target: Target) -> None:
    """`GET /v1/metadata` is a valid card.

    Why: all that the gateway knows of a service is read there.
    """
    require_json(target.ask("GET", "/v1/metadata"), "/v1/metadata")
    require(bool(target.card.all_endpoints()), "the card names no endpoint")


def card_small_and_fast(target: Target) -> None:
    """The card has at most 1 MiB and comes within a second.

    Why: it is read again and again, beside the work.
    """
    started = time.perf_counter()
    response = target.ask("GET", "/v1/metadata")
    took = time.perf_counter() - started
    require(len(response.content) <= LARGEST_BYTES, f"the card has {len(response.content)} bytes")
    require(took < PROMPT_SECONDS, f"the card took {took:.1f} s")


def card_steady(target: Target) -> None:
    """The card keeps its service's and its instance's name.

    Why: they name the instance in lists, logs and metrics.
    """
    again = Target(target.url)
    try:
        then = (target.card.service.name, target.card.instance)
        now = (again.card.service.name, again.card.instance)
    finally:
        again.close()
    require(then == now, f"the card named {then[0]} {then[1]}, then {now[0]} {now[1]}")


def models_consistent(target: Target) -> None:
    """Names of models are unique, and their operations are offered.

    Why: requests are routed by both.
    """
    names = [name for model in target.card.models for name in (model.id, *model.aliases)]
    twice = next((name for name in names if names.count(name) > 1), None)
    require(twice is None, f"two models are called {twice!r}")
    operations = {endpoint.operation for endpoint in target.card.all_endpoints()}
    for model in target.card.models:
        foreign = [name for name in model.operations if name not in operations]
        require(not foreign, f"the model {model.id!r} claims {', '.join(foreign)}, which the service does not offer")


def models_listed(target: Target) -> None:
    """`GET /v1/models`, if there, agrees with the card.

    Why: clients choose from the one, the gateway from the other.
    """
    response = target.ask("GET", "/v1/models")
    if response.status_code == 404:
        skip("it serves no /v1/models")
    value = require_json(response, "/v1/models")
    try:
        listed = {model["id"] for model in value["data"]}
    except (KeyError, TypeError):
        fail("/v1/models is not a list in OpenAI's shape")
    on_card = {model.id for model in target.card.models}
    require(listed == on_card, f"/v1/models lists {sorted(listed)}, the card {sorted(on_card)}")
    for name in (name for model in target.card.models for name in (model.id, *model.aliases)):
        status = target.ask("GET", f"/v1/models/{name}").status_code
        require(status == 200, f"/v1/models/{name} answered {status}, not 200")


def tools_sound(target: Target) -> None:
    """Tools call endpoints of the card, and say what they do.

    Why: an agent chooses a tool by what it says.
    """
    if not target.card.tools:
        skip("it offers no tools")
    paths = {endpoint.path for endpoint in target.card.all_endpoints()}
    for tool in target.card.tools:
        require(tool.path in paths, f"the tool {tool.name!r} calls {tool.path}, which is no endpoint of the card")
        require(bool(tool.description), f"the tool {tool.name!r} has no description: no agent can choose it")


def schemas_sound(target: Target) -> None:
    """Every schema on the card is a JSON Schema.

    Why: agents and the web UI's forms are made of them.
    """
    schemas = {endpoint.path: endpoint.request_schema for endpoint in target.card.all_endpoints()}
    schemas |= {f"tool {tool.name}": tool.input_schema for tool in target.card.tools}
    for where, schema in schemas.items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            fail(f"{where}: the schema is not a JSON Schema: {error.message}")
