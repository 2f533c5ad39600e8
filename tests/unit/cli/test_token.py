"""`nexus token` as it is typed, at a running gateway."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexus.cli.asked import PAGE
from tests.servers.gateway import Gateway
from tests.servers.typed import Type, typed_at

CONFIG = f"""
policies: {{kids: {{rpm: 5}}, few: {{budgets: {{day: {{requests: 7}}}}}}}}
tokens:
  - {{name: declared/one, sha256: {"ab" * 32}, policy: kids}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "nexus.yaml").write_text(CONFIG)
    with Gateway(folder) as gateway:
        yield gateway


@pytest.fixture
def typed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Type:
    return typed_at(gateway, "token", monkeypatch)


def lets_in(gateway: Gateway, token: str) -> bool:
    return gateway.get("/v1/models", token=token).status == 200


def test_the_token_is_alone_on_a_line(typed: Type, gateway: Gateway) -> None:
    result = typed("create", "ci", "--owner", "Ada", "--policy", "kids", "--expires", "2999-01-01")
    assert result.exit_code == 0
    (token,) = result.stdout.splitlines()
    assert lets_in(gateway, token)
    assert result.stderr == "The token of ci (policy kids, until 2999-01-01 00:00); it is not shown again:\n"
    shown = typed("show", "ci").stdout
    assert token not in shown
    assert [line.split(maxsplit=1)[1] for line in shown.splitlines()[1:5]] == ["ci", "Ada", "kids", "active"]


def test_what_was_used_of_budgets_is_shown(typed: Type) -> None:
    assert typed("create", "frugal", "--policy", "few").exit_code == 0
    day, month = typed("show", "frugal").stdout.splitlines()[-2:]
    assert re.fullmatch(r"used by day   0 of 7 requests, 0 tokens, 0 engine-seconds, until .* 00:00", day)
    assert re.fullmatch(r"used by month 0 requests, 0 tokens, 0 engine-seconds, until .*-01 00:00", month)
    assert "used by" not in typed("show", "declared/one").stdout


def test_rotate_and_revoke(typed: Type, gateway: Gateway) -> None:
    first = typed("create", "turning").stdout.strip()
    second = typed("rotate", "turning").stdout.strip()
    assert (lets_in(gateway, first), lets_in(gateway, second)) == (False, True)
    result = typed("revoke", "turning")
    assert (result.exit_code, result.stdout) == (0, "revoked: turning\n")
    assert not lets_in(gateway, second)


def test_the_list_shows_both_kinds_as_columns(typed: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "another"):
        assert typed("create", name).exit_code == 0
    lines = typed("list").stdout.splitlines()
    assert lines[0].split() == ["name", "owner", "policy", "state", "expires_at", "last_used_at", "source"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert rows["declared/one"] == ["-", "kids", "active", "-", "-", "nexus.yaml"]
    assert rows["one"] == ["-", "default", "active", "-", "-", "api"]
    assert PAGE <= 1000
    monkeypatch.setattr("nexus.cli.asked.PAGE", 1)
    assert typed("list").stdout.splitlines() == lines


def test_json_is_what_the_gateway_says(typed: Type, gateway: Gateway) -> None:
    made = json.loads(typed("create", "scripted", "--json").stdout)
    assert lets_in(gateway, made["token"])
    listed = {one["name"]: one for one in json.loads(typed("list", "--json").stdout)}
    assert listed["scripted"]["id"] == made["id"]
    assert "token" not in listed["scripted"]
    assert json.loads(typed("show", made["id"], "--json").stdout)["name"] == "scripted"
    assert json.loads(typed("rotate", "scripted", "--json").stdout)["token"] != made["token"]
    assert json.loads(typed("revoke", "scripted", "--json").stdout)["deleted"] is True


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("create", "x", "--policy", "kid"), "nexus: nexus.yaml has no policy 'kid'. Did you mean 'kids'?\n"),
        (("create", "x", "--expires", "soon"), "nexus: expires: it should be a date or a time"),
        (("revoke", "nobody/../x?"), "nexus: There is nothing at DELETE"),
        (("show", "nobody"), "nexus: There is no token 'nobody'.\n"),
    ],
)
def test_a_refusal_is_one_line_and_status_1(typed: Type, words: tuple[str, ...], message: str) -> None:
    result = typed(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


def test_without_a_key_it_says_so(typed: Type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NEXUS_API_KEY")
    monkeypatch.chdir(tmp_path)
    result = typed("list")
    assert result.exit_code == 1
    assert result.stderr.startswith("nexus: NEXUS_API_KEY: it is needed")
