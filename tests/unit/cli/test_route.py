"""`nexus route explain` with a file alone, and what is no question. At a gateway: tests/system/test_routes.py."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nexus.cli.main import make_app

Explain = Callable[..., Result]
CONFIG = f"""
aliases: {{nick: big}}
policies: {{kids: {{}}}}
tokens: [{{name: ann, policy: kids, sha256: {"ab" * 32}}}]
routes:
  - {{when: {{policy: kids, time: 22:00-06:00}}, deny: go to bed}}
  - {{when: {{model: chat, prompt_tokens_over: 6000}}, use: {{model: long-context}}}}
  - {{when: {{model: big, header: {{x-tier: free}}, has_tools: true, stream: true}}, use: {{model: small}}}}
"""


@pytest.fixture
def explain(tmp_path: Path) -> Explain:
    (tmp_path / "nexus.yaml").write_text(CONFIG)

    def run(*words: str, config: str = "nexus.yaml") -> Result:
        return CliRunner().invoke(make_app("route"), ["route", "explain", "--config", str(tmp_path / config), *words])

    return run


def test_it_says_rule_by_rule_why_and_what_then(explain: Explain) -> None:
    result = explain("--model", "chat", "--prompt-tokens", "6001")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "  1  no   deny",
        "          policy is not there, not kids",
        result.stdout.splitlines()[2],  # the time of day
        "  2  yes  use model=long-context",
        "          model is chat, as chat",
        "          prompt_tokens_over is 6001, as 6000",
        "  3  no   use model=small",
        "          stream is false, not true",
        "          model is chat, not big",
        "          header x-tier is not there, not free",
        "          has_tools is false, not true",
        "rule 2 decides: goes to the model long-context; where that is, a running gateway knows",
    ]


@pytest.mark.parametrize("who", [("--token", "ann"), ("--policy", "kids")])
def test_a_denial(explain: Explain, who: tuple[str, str]) -> None:
    result = explain("--model", "m", *who, "--at", "2026-01-01T23:00")
    assert result.stdout.splitlines()[-1] == "rule 1 decides: 403: go to bed"
    assert explain("--model", "m", *who, "--at", "2026-01-01T12:00").stdout.splitlines()[-1] == (
        "no rule matches: goes to the model m; where that is, a running gateway knows"
    )


def test_all_else_that_can_be_told(explain: Explain, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text(json.dumps({"model": "nick", "tools": [{}], "stream": True}))
    options = ("--body", str(tmp_path / "body.json"), "--header", "X-Tier=free", "--json")
    told = json.loads(explain(*options).stdout)
    assert (told["rule"], told["asked_model"], told["model"], told["targets"]) == (3, "nick", "small", None)
    assert json.loads(explain(*options, "--no-tools").stdout)["rule"] is None
    assert json.loads(explain(*options, "--no-stream").stdout)["rule"] is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--header", "x-tier"), "is not of the form name=value"),
        (("--token", "eve"), "the file declares no token 'eve'"),
        (("--policy", "adults"), "the file has no policy 'adults'"),
        (("--policy", "kids", "--token", "ann"), "name one of the two"),
        (("--at", "tomorrow"), "at: it should be a time"),
        (("--operation", "chat"), "There is no operation 'chat'"),
        (("--body", "nowhere.json"), "holds no JSON that can be read"),
    ],
)
def test_what_is_no_question(explain: Explain, words: tuple[str, ...], told: str) -> None:
    result = explain(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("nexus: ")
    assert told in result.stderr


def test_a_file_that_is_not_there_or_is_wrong(explain: Explain, tmp_path: Path) -> None:
    assert "there is no file" in explain(config="other.yaml").stderr
    (tmp_path / "other.yaml").write_text("routes: [{}]")
    assert "other.yaml: routes.0: it should have one of deny, use, split" in explain(config="other.yaml").stderr
