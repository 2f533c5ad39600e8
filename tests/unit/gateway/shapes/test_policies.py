"""`policies` and `tokens`: what they mean, and that every mistake is told by its key and line, and no token with it."""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nexus.gateway.config import parse_config
from nexus.gateway.shapes.document import ConfigError
from nexus.policies.budgets import Budget, Budgets
from nexus.policies.globs import Globs
from nexus.policies.networks import parse_network
from nexus.policies.parameters import Overrides, Parameters, Rules
from nexus.policies.policy import Policy
from nexus.policies.token import Token

NETWORKS = (parse_network("10.0.0.0/8"), parse_network("::1"))
DIGEST = hashlib.sha256(b"sk-one").hexdigest()
CONTRACT = """
policies:
  default: {rpm: 600, tpm: 0, concurrency: 32, models: ["*"], operations: ["*"], tools: ["*"], ip_allow: [],
            priority: interactive, max_request_bytes: 67108864}
"""


def token(fields: str) -> str:
    return f"policies: {{default: {{}}}}\ntokens:\n  - {{name: ci, sha256: '{DIGEST}'}}\n  - {fields}\n"


def test_what_the_contract_shows() -> None:
    (policy,) = parse_config(CONTRACT).policies.values()
    assert policy == Policy("default", rpm=600, concurrency=32, max_request_bytes=67108864)


def test_every_key() -> None:
    config = parse_config(
        f"""
policies:
  p:
    rpm: 1
    tpm: 2
    concurrency: 3
    models: [a*]
    operations: [chat.*]
    ip_allow: [10.0.0.0/8, "::1"]
    max_request_bytes: 4
    parameters:
      max_tokens: 5
      force: {{temperature: 0, stop: [x]}}
      forbid: [tools]
      system_prefix: W
      models: {{"b*": {{max_tokens: 0}}, c: {{force: {{}}, forbid: [], system_prefix: ""}}}}
tokens:
  - {{name: ci, sha256: {DIGEST.upper()}, policy: p, expires: 2031-01-02}}
"""
    )
    parameters = Parameters(
        Rules(5, {"temperature": 0, "stop": ["x"]}, ("tools",), "W"),
        (Overrides(Globs(["b*"]), max_tokens=0), Overrides(Globs(["c"]), force={}, forbid=(), system_prefix="")),
    )
    policy = Policy(
        "p",
        1,
        2,
        3,
        Globs(["a*"]),
        Globs(["chat.*"]),
        NETWORKS,
        4,
        parameters,
    )
    assert config.policies == {"p": policy}
    expires = datetime(2031, 1, 2, tzinfo=UTC).timestamp()
    assert config.tokens == (Token(bytes.fromhex(DIGEST), "ci", policy, expires),)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2031-01-02", datetime(2031, 1, 2, tzinfo=UTC)),
        ("2031-01-02T03:04:05", datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2031-01-02T03:04:05Z", datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2031-01-02T03:04:05+02:00", datetime(2031, 1, 2, 1, 4, 5, tzinfo=UTC)),
    ],
)
def test_a_date_is_its_first_moment_and_without_a_zone_it_is_utc(written: str, moment: datetime) -> None:
    tokens = parse_config(token(f"{{name: b, sha256: '{'0' * 64}', expires: {written}}}")).tokens
    assert tokens[1].expires == moment.timestamp()
    assert (tokens[0].expires, tokens[0].policy) == (None, Policy("default"))


@pytest.mark.parametrize(
    ("written", "budgets"),
    [
        (
            "{day: {requests: 500, tokens: 200000, engine_seconds: 600}, month: {tokens: 3000000}}",
            Budgets(Budget(500, 200_000, 600), Budget(tokens=3_000_000)),
        ),
        (
            "{month: {engine_seconds: 5}, timezone: Europe/Berlin}",
            Budgets(month=Budget(engine_seconds=5), timezone="Europe/Berlin", zone=ZoneInfo("Europe/Berlin")),
        ),
        ("{day: {requests: 0}, timezone: UTC}", None),
        ("{}", None),
    ],
)
def test_budgets(written: str, budgets: Budgets | None) -> None:
    (policy,) = parse_config(f"policies: {{p: {{budgets: {written}}}}}").policies.values()
    assert policy == Policy("p", budgets=budgets)


COUNTS = ("rpm", "tpm", "concurrency", "max_request_bytes")
WRONG_COUNTS = ("-1", "1.5", "'5'", "true", "null", "many", "[1]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *[(f"{{{key}: {value}}}", f"{key}: ") for key in COUNTS for value in WRONG_COUNTS],
        *[(f"{{parameters: {{max_tokens: {value}}}}}", "parameters.max_tokens: ") for value in WRONG_COUNTS],
        *[
            (f"{{{key}: {value}}}", key)
            for key in ("models", "operations")
            for value in ("'*'", "[]", "[5]", "['']", "['a b']", "null", "{a: b}")
        ],
        *[
            (f"{{budgets: {{{period}: {{{figure}: {value}}}}}}}", f"budgets.{period}.{figure}: ")
            for period in ("day", "month")
            for figure in ("requests", "tokens", "engine_seconds")
            for value in WRONG_COUNTS
        ],
        *[
            (f"{{budgets: {{{period}: {value}}}}}", f"budgets.{period}: ")
            for period in ("day", "month")
            for value in ("5", "null", "[5]")
        ],
        *[
            (f"{{budgets: {{timezone: {value}}}}}", "budgets.timezone: ")
            for value in ("5", "null", "''", "[UTC]", "Europe", "Europe/Nowhere", "../localtime", "'a b'")
        ],
        ("{budgets: 5}", "budgets: it should be a valid dictionary"),
        ("{budgets: null}", "budgets: it should be a valid dictionary"),
        ("{budgets: {week: {}}}", "budgets.week: there is no such key among day, month, timezone"),
        ("{budgets: {day: {request: 5}}}", "budgets.day.request: there is no such key; did you mean requests?"),
        ("{budgets: {timezone: Europe/Nowhere}}", "there is no time zone 'Europe/Nowhere' on this machine"),
        ("{rmp: 5}", "rmp: there is no such key; did you mean rpm?"),
        ("{zzz: 5}", "zzz: there is no such key among rpm, tpm, "),
        ("5", " it should be a valid dictionary"),
        ("null", " it should be a valid dictionary"),
        ("{tools: search}", "tools: "),
        ("{tools: []}", "tools: "),
        ("{priority: low}", "priority: it should be 'interactive', 'normal' or 'batch', not 'low'"),
        ("{ip_allow: [10.0.0.1/8]}", "ip_allow.0: 10.0.0.1/8 has bits behind its prefix"),
        ("{ip_allow: [home]}", "ip_allow.0: 'home' is neither an address nor a network"),
        ("{ip_allow: [5]}", "ip_allow.0: "),
        ("{ip_allow: 10.0.0.0/8}", "ip_allow: "),
        ("{parameters: {forbid: tools}}", "parameters.forbid: "),
        ("{parameters: {forbid: null}}", "parameters.forbid: "),
        ("{parameters: {force: [a]}}", "parameters.force: "),
        ("{parameters: {force: {model: x}}}", "parameters.force: model cannot be forced"),
        ("{parameters: {force: {max_tokens: 5}}}", "parameters.force: max_tokens cannot be forced; use max_tokens"),
        ("{parameters: {system_prefix: 5}}", "parameters.system_prefix: "),
        ("{parameters: {fore: {}}}", "parameters.fore: there is no such key; did you mean force?"),
        ("{parameters: {models: {a: {fore: {}}}}}", "parameters.models.a.fore: there is no such key"),
        ("{parameters: {models: {a: {models: {}}}}}", "parameters.models.a.models: there is no such key"),
        ("{parameters: {models: {a: 5}}}", "parameters.models.a: "),
    ],
)  # fmt: skip
def test_a_mistake_in_a_policy(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"aliases: {{}}\npolicies:\n  p: {text}\n")
    told = str(caught.value)
    assert told.startswith("policies.p")
    assert message in told
    assert told.endswith("(line 3)")


GOOD = "1" * 64


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("{sha256: SECRET}", "tokens.1.name: "),
        (
            f"{{name: b, sha256: '{GOOD}', policy: nine}}",
            "tokens.1.policy: there is no policy 'nine' (there is default)",
        ),
        (f"{{name: ci, sha256: '{GOOD}'}}", "tokens.1.name: another token is called 'ci' already"),
        (f"{{name: b, sha256: '{DIGEST}'}}", "tokens.1.sha256: it is that of the token 'ci' already"),
        (f"{{name: administrator, sha256: '{GOOD}'}}", "tokens.1.name: 'administrator' is not free"),
        (f"{{name: anonymous, sha256: '{GOOD}'}}", "tokens.1.name: 'anonymous' is not free"),
        ("{name: b, sha256: sk-SECRET}", "tokens.1.sha256: "),
        (f"{{name: b, sha256: SECRET{GOOD}}}", "tokens.1.sha256: "),
        ("{name: b, sha256: 5}", "tokens.1.sha256: "),
        ("{name: b}", "tokens.1.sha256: "),
        (f"{{name: 'b c', sha256: '{GOOD}'}}", "tokens.1.name: "),
        (f"{{name: b, sha256: '{GOOD}', policy: 5}}", "tokens.1.policy: "),
        (f"{{name: b, sha256: '{GOOD}', token: sk-SECRET}}", "tokens.1.token: there is no such key"),
        (f"{{name: b, sha256: '{GOOD}', expiry: 5}}", "tokens.1.expiry: there is no such key; did you mean expires?"),
        *[
            (f"{{name: b, sha256: '{GOOD}', expires: {value}}}", "tokens.1.expires: it should be a date or a time")
            for value in ("soon", "'2031-01-02'", "5", "null", "true", "[2031-01-02]")
        ],
        ("sk-SECRET", "tokens.1: "),
    ],
)
def test_a_mistake_in_a_token_is_told_without_it(fields: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(token(fields))
    told = str(caught.value)
    assert told.startswith(message)
    assert told.endswith("(line 4)")
    assert "SECRET" not in told


@pytest.mark.parametrize("text", ["tokens: sk-SECRET", "tokens: {sk-SECRET: default}", "tokens: 5"])
def test_tokens_are_a_list(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^tokens: it should be a valid list") as caught:
        parse_config(text)
    assert "SECRET" not in str(caught.value)


def test_a_token_that_names_no_policy_needs_the_default_one() -> None:
    with pytest.raises(ConfigError, match=r"tokens\.0\.policy: there is no policy 'default' \(there is none\)"):
        parse_config(f"tokens: [{{name: ci, sha256: '{DIGEST}'}}]")


ROOT = Path(__file__).parents[4]
SHOWN = [
    block
    for page in ("README.md", "docs/policies.md")
    for block in re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    if block.startswith(("policies:", "aliases:"))
]


@pytest.mark.parametrize("text", SHOWN)
def test_what_is_shown_is_what_is_read(text: str) -> None:
    assert len(SHOWN) == 3
    config = parse_config(text)
    assert config.aliases or config.tokens


@pytest.mark.parametrize("priority", ["interactive", "normal", "batch"])
def test_a_priority_is_one_of_three(priority: str) -> None:
    config = parse_config(f"policies: {{p: {{priority: {priority}}}}}")
    assert config.policies["p"].priority == priority
