"""Users from outside: signing in, what each role may do, and that whatever ends does so everywhere within a second."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import pytest

from tests.servers.databases import EITHER
from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import wait_until
from tests.servers.scripted import ScriptedUpstream

CHAT = "/v1/chat/completions"
CONFIG = "policies:\n  kids: {operations: ['chat.*'], rpm: 5}\n  wide: {}\n"
WITHIN = 1.0  # seconds until a change is in force everywhere
SLACK = 0.5  # seconds that a look, two busy cores and the asking itself may take
PASSWORD = "correct horse battery"


@dataclass
class Replicas:
    """Two gateways that share a database, and every secret that they were told or have told."""

    first: Gateway
    second: Gateway
    secrets: list[str] = field(default_factory=list)
    opened: list[httpx.Client] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.opened:
            client.close()

    def admin(self, verb: str, path: str, body: Any = None, at: Gateway | None = None) -> httpx.Response:
        """What the administrator's token is answered."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        return httpx.request(
            verb, f"{(at or self.first).url}/v1/admin{path}", json=body, headers=headers, trust_env=False, timeout=30
        )

    def make(self, name: str, **fields: Any) -> dict[str, Any]:
        """A user with PASSWORD."""
        answer = self.admin("POST", "/users", {"name": name, "password": PASSWORD, **fields})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def browser(self, name: str = "", password: str = PASSWORD, at: Gateway | None = None) -> "Browser":
        """A browser, signed in where there is a name."""
        browser = Browser(self, at or self.first)
        if name:
            answer = browser.sign_in(name, password)
            assert answer.status_code == 200, answer.text
        return browser


class Browser:
    """A client with cookies, which sends the token against forged requests unless it is told not to."""

    def __init__(self, replicas: Replicas, gateway: Gateway) -> None:
        self._replicas = replicas
        self.client = httpx.Client(base_url=gateway.url, trust_env=False, timeout=30)
        replicas.opened.append(self.client)
        self.csrf = ""

    def sign_in(self, name: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
        answer = self.client.post("/v1/session", json={"name": name, "password": password}, headers=headers)
        if answer.status_code == 200:
            self.csrf = answer.json()["csrf_token"]
            self._replicas.secrets += [self.csrf, self.client.cookies["nexus_session"]]
        return answer

    def ask(self, verb: str, path: str, body: Any = None, csrf: str | None = None, **headers: str) -> httpx.Response:
        token = self.csrf if csrf is None else csrf
        sent = {**({"x-csrf-token": token} if token else {}), **headers}
        return self.client.request(verb, path, json=body, headers=sent)

    def at(self, gateway: Gateway) -> "Browser":
        """The same browser at another gateway."""
        other = Browser(self._replicas, gateway)
        other.client.cookies.update(self.client.cookies)
        other.csrf = self.csrf
        return other

    def status(self) -> int:
        return self.client.get("/v1/session").status_code

    def chat(self) -> int:
        return self.ask("POST", CHAT, chat_body()).status_code


@pytest.fixture(scope="module", params=EITHER)
def replicas(
    request: pytest.FixtureRequest, upstream_of_module: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicas]:
    """Two gateways with users; none of what they tell may hold a secret."""
    shared = tmp_path_factory.mktemp("shared")
    with request.param(shared) as url:
        env = {"NEXUS_DATABASE_URL": url, "NEXUS_FILES_URL": str(shared / "files"), "NEXUS_USERS": "on"}
        with ExitStack() as stack:
            gateways = []
            for name in ("first", "second"):
                folder = tmp_path_factory.mktemp(name)
                (folder / "nexus.yaml").write_text(CONFIG)
                gateways.append(stack.enter_context(Gateway(folder, [upstream_of_module.url], env)))
            for gateway in gateways:
                gateway.wait_for_state(upstream_of_module.url, "ready")
                gateway.wait_for_storage()
            with Replicas(*gateways) as made:
                yield made
        told = "".join(one.stdout.read_text() + one.stderr.read_text() for one in (made.first, made.second))
        assert '"event":"signed_in"' in told
        for secret in (TOKEN, PASSWORD, *made.secrets):
            assert secret not in told


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def void(since: float, check: Callable[[], bool]) -> None:
    """Within a second of `since`."""
    wait_until(check, 10)
    assert time.monotonic() - since < WITHIN + SLACK


def test_signing_in_and_out(replicas: Replicas) -> None:
    replicas.make("ada", policy="kids")
    browser = replicas.browser()
    assert browser.status() == 401
    answer = browser.sign_in("ada")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["user"]["name"] == "ada"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("nexus_session=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=604800"} <= set(cookie.split("; "))
    shown = browser.client.get("/v1/session").json()
    assert shown == answer.json()
    assert (shown["role"], shown["user"]["policy"]) == ("user", "kids")
    assert browser.chat() == 200
    session = browser.client.cookies["nexus_session"]
    assert browser.ask("DELETE", "/v1/session").status_code == 200
    assert "nexus_session" not in browser.client.cookies
    browser.client.cookies.set("nexus_session", session)
    assert code(browser.client.get("/v1/session")) == (401, "session_ended")
    assert browser.chat() == 401


def test_another_sign_in_is_another_session_and_ends_the_one_before(replicas: Replicas) -> None:
    replicas.make("rota")
    browser = replicas.browser("rota")
    before = browser.at(replicas.first)
    assert browser.sign_in("rota").status_code == 200
    assert browser.client.cookies["nexus_session"] != before.client.cookies["nexus_session"]
    assert (browser.status(), before.status()) == (200, 401)


def test_signed_out_at_one_it_is_void_at_the_other(replicas: Replicas) -> None:
    replicas.make("twice")
    here = replicas.browser("twice")
    there = here.at(replicas.second)
    assert there.status() == 200  # at once: the other gateway has a look where it does not know a session
    assert there.chat() == 200
    here.ask("DELETE", "/v1/session")
    void(time.monotonic(), lambda: there.chat() == 401)
    assert there.status() == 401


@pytest.mark.parametrize(
    ("verb", "ending", "body", "tokens"),
    [
        ("PATCH", "", {"disabled": True}, 401),
        ("POST", "/password", {"password": PASSWORD + "2"}, 200),
        ("DELETE", "", None, 401),
    ],
)
def test_what_ends_all_sessions_of_a_user(
    replicas: Replicas, verb: str, ending: str, body: dict[str, Any] | None, tokens: int
) -> None:
    name = f"ended-{verb}"
    replicas.make(name)
    browsers = [replicas.browser(name), replicas.browser(name).at(replicas.second)]
    token = browsers[0].ask("POST", "/v1/me/tokens", {"name": "laptop"}).json()["token"]
    replicas.secrets.append(token)
    assert [browser.status() for browser in browsers] == [200, 200]
    assert [browser.chat() for browser in browsers] == [200, 200]
    wait_until(lambda: replicas.second.post(CHAT, chat_body(), token=token).status == 200, 5)
    assert replicas.admin(verb, f"/users/{name}{ending}", body).status_code == 200
    since = time.monotonic()
    for browser in browsers:
        void(since, lambda browser=browser: browser.chat() == 401)
        assert browser.status() == 401
    void(since, lambda: replicas.second.post(CHAT, chat_body(), token=token).status == tokens)


def test_a_request_that_another_page_forges(replicas: Replicas) -> None:
    replicas.make("forged")
    browser = replicas.browser("forged")
    other = replicas.browser("forged")
    own = browser.client.base_url
    for csrf in ("", "0" * 64, other.csrf):
        for verb, path in (("POST", "/v1/me/tokens"), ("DELETE", "/v1/session"), ("POST", CHAT)):
            body = None if verb == "DELETE" else {"name": "x"}
            answer = browser.client.request(verb, path, json=body, headers={"x-csrf-token": csrf} if csrf else {})
            assert code(answer) == (403, "permission_denied"), (csrf, path)
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{own.port + 1}", f"https://{own.host}"):
        assert browser.ask("POST", CHAT, chat_body(), Origin=origin).status_code == 403, origin
        assert browser.ask("DELETE", "/v1/session", Origin=origin).status_code == 403, origin
        assert browser.sign_in("forged", PASSWORD, Origin=origin).status_code == 403, origin
    for site in ("cross-site", "same-site"):
        assert browser.ask("POST", CHAT, chat_body(), **{"sec-fetch-site": site}).status_code == 403
    origin = str(own).rstrip("/")
    assert browser.ask("POST", CHAT, chat_body(), Origin=origin).status_code == 200
    assert browser.status() == 200


def test_a_token_needs_no_proof_and_comes_before_the_cookie(replicas: Replicas) -> None:
    replicas.make("both")
    browser = replicas.browser("both")
    as_token = {"authorization": f"Bearer {TOKEN}"}
    assert browser.client.post(CHAT, json=chat_body(), headers=as_token).status_code == 200
    assert browser.client.get("/v1/session", headers=as_token).json()["token"] == "administrator"
    as_wrong = {"authorization": "Bearer sk-wrong", "x-csrf-token": browser.csrf}
    assert browser.client.post(CHAT, json=chat_body(), headers=as_wrong).status_code == 401


def test_roles(replicas: Replicas) -> None:
    for role in ("admin", "user", "viewer"):
        replicas.make(f"role-{role}", role=role)
    admin, user, viewer = (replicas.browser(f"role-{role}") for role in ("admin", "user", "viewer"))
    assert [one.chat() for one in (admin, user, viewer)] == [200, 200, 403]
    for path in ("/v1/models", "/v1/services", "/v1/metadata", "/v1/files"):
        assert [one.client.get(path).status_code for one in (admin, user, viewer)] == [200] * 3, path
    assert viewer.client.get("/v1/models").json()["data"]
    for path in ("/v1/admin/users", "/v1/admin/tokens", "/v1/admin/audit"):
        assert [one.client.get(path).status_code for one in (admin, user, viewer)] == [200, 403, 403], path
    tokens = [one.ask("POST", "/v1/me/tokens", {"name": "own"}) for one in (admin, user, viewer)]
    assert [one.status_code for one in tokens] == [201, 201, 403]
    assert viewer.ask("POST", "/v1/files", {}).status_code == 403
    secret = tokens[0].json()["token"]
    replicas.secrets += [one.json()["token"] for one in tokens[:2]]
    with_token = {"authorization": f"Bearer {secret}"}
    assert httpx.get(f"{replicas.first.url}/v1/admin/users", headers=with_token, trust_env=False).status_code == 403
    assert admin.ask("PATCH", "/v1/admin/users/role-viewer", {"role": "user"}).status_code == 200
    assert viewer.chat() == 200
    assert admin.ask("PATCH", "/v1/admin/users/role-user", {"role": "viewer"}).status_code == 200
    assert user.chat() == 403
    assert replicas.first.post(CHAT, chat_body(), token=tokens[1].json()["token"]).status == 401


def test_own_tokens_have_the_policy_and_the_limits_of_their_user(replicas: Replicas) -> None:
    replicas.make("limited", policy="kids")
    browser = replicas.browser("limited")
    assert code(browser.ask("POST", "/v1/me/tokens", {"name": "wider", "policy": "wide"}))[0] == 400
    tokens = []
    for name in ("one", "two"):
        made = browser.ask("POST", "/v1/me/tokens", {"name": name}).json()
        assert (made["policy"], made["owner"], made["name"]) == ("kids", "limited", name)
        tokens.append(made.pop("token"))
    replicas.secrets += tokens
    assert browser.ask("POST", "/v1/me/tokens", {"name": "one"}).status_code == 409
    listed = browser.client.get("/v1/me/tokens").json()["data"]
    assert [one["name"] for one in listed] == ["one", "two"]
    asked = [replicas.first.post(CHAT, chat_body(), token=token).status for token in tokens * 2]
    assert (asked, browser.chat(), browser.chat()) == ([200] * 4, 200, 429)  # five a minute, with whatever
    with_token = {"authorization": f"Bearer {tokens[0]}"}
    told = httpx.post(f"{replicas.first.url}/v1/me/tokens", json={"name": "x"}, headers=with_token, trust_env=False)
    assert told.status_code == 403
    wait_until(lambda: browser.client.get("/v1/me/tokens").json()["data"][0]["last_used_at"], 5)
    replicas.admin("PATCH", "/users/limited", {"policy": "wide"})
    assert [one["policy"] for one in browser.client.get("/v1/me/tokens").json()["data"]] == ["wide", "wide"]
    assert replicas.first.post(CHAT, chat_body(), token=tokens[0]).status == 200
    assert browser.ask("DELETE", "/v1/me/tokens/one").status_code == 200
    assert replicas.first.post(CHAT, chat_body(), token=tokens[0]).status == 401
    void(time.monotonic(), lambda: replicas.second.post(CHAT, chat_body(), token=tokens[0]).status == 401)


def test_guessing_is_slowed_down_at_both_and_the_user_gets_in_from_where_it_did(replicas: Replicas) -> None:
    replicas.make("guessed")
    known = replicas.browser("guessed")
    nobody: list[int] = []
    for gateway in (replicas.first, replicas.second) * 3:
        answer = Browser(replicas, gateway).sign_in("nobody", "wrong password")
        nobody.append(answer.status_code)
    assert nobody == [401] * 6
    answer = Browser(replicas, replicas.second).sign_in("nobody", "wrong password")
    assert code(answer) == (429, "rate_limit_exceeded")
    assert int(answer.headers["retry-after"]) >= 1
    assert known.sign_in("guessed").status_code == 200


def test_another_password_for_oneself(replicas: Replicas) -> None:
    replicas.make("own")
    browser, elsewhere = replicas.browser("own"), replicas.browser("own", at=replicas.second)
    body = {"current": "not the password", "password": PASSWORD + "!"}
    assert code(browser.ask("POST", "/v1/me/password", body)) == (401, "invalid_credentials")
    body["current"] = PASSWORD
    assert browser.ask("POST", "/v1/me/password", {**body, "password": "short"}).status_code == 400
    answer = browser.ask("POST", "/v1/me/password", body)
    assert answer.status_code == 200, answer.text
    void(time.monotonic(), lambda: elsewhere.status() == 401)
    assert browser.status() == 200
    assert browser.sign_in("own").status_code == 401
    assert browser.sign_in("own", PASSWORD + "!").status_code == 200


def test_every_change_of_a_user_is_in_the_audit_log(replicas: Replicas) -> None:
    identity = replicas.make("audited")["id"]
    replicas.admin("PATCH", "/users/audited", {"role": "viewer", "disabled": True})
    made = replicas.admin("POST", "/users/audited/password", {}).json()
    replicas.secrets.append(made["password"])
    replicas.admin("DELETE", "/users/audited")
    entries = replicas.admin("GET", f"/audit?subject={identity}", at=replicas.second).json()["data"]
    assert [(one["actor"], one["action"]) for one in entries] == [
        ("administrator", f"user.{action}") for action in ("delete", "password", "change", "create")
    ]
    assert entries[2]["details"] == {"name": "audited", "role": "viewer", "disabled": True}
    assert made["password"] not in json.dumps(entries)
    again = replicas.admin("POST", "/users", {"name": "audited", "password": PASSWORD})
    assert code(again) == (409, "conflict")


def test_by_the_command_line(replicas: Replicas) -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
    env = {**outside, "NEXUS_URL": replicas.first.url, "NEXUS_API_KEY": TOKEN}

    def typed(*words: str) -> str:
        command = [sys.executable, "-m", "nexus.cli", "user", *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    password = typed("create", "root", "--role", "admin")
    replicas.secrets.append(password)
    browser = replicas.browser("root", password)
    assert browser.client.get("/v1/admin/users").status_code == 200
    typed("disable", "root")
    assert browser.status() == 401
    typed("enable", "root")
    replicas.browser("root", password)
    another = typed("passwd", "root")
    replicas.secrets.append(another)
    assert replicas.browser().sign_in("root", password).status_code == 401
    assert "root" in typed("list")
    assert "admin" in typed("show", "root")
    typed("delete", "root")
    assert replicas.browser().sign_in("root", another).status_code == 401


def test_a_session_that_nobody_uses_ends(start_gateway: Any, upstream: ScriptedUpstream) -> None:
    gateway = start_gateway(
        upstream, env={"NEXUS_USERS": "on", "NEXUS_SESSION_IDLE": "2", "NEXUS_SESSION_LIFETIME": "60"}
    )
    with Replicas(gateway, gateway) as replicas:
        replicas.make("idle")
        used, unused = replicas.browser("idle"), replicas.browser("idle")
        since = time.monotonic()
        while time.monotonic() - since < 4:
            assert used.chat() == 200
        assert unused.status() == 401
        assert used.status() == 200


def test_of_several_workers_all_know_at_once_who_is_signed_in(start_gateway: Any, upstream: ScriptedUpstream) -> None:
    gateway = start_gateway(upstream, env={"NEXUS_USERS": "on", "NEXUS_WORKERS": "3"})
    wait_until(lambda: gateway.stdout.read_text().count('"storage_opened"') == 3, 20)
    with Replicas(gateway, gateway) as replicas:
        replicas.make("ada")
        first = replicas.browser("ada")
        assert {first.at(gateway).chat() for _ in range(24)} == {200}
        assert first.ask("DELETE", "/v1/session").status_code == 200
        first.client.cookies.set("nexus_session", replicas.secrets[-1])
        assert {first.at(gateway).chat() for _ in range(24)} == {401}


def test_a_page_of_a_service_cannot_act_as_who_opens_it(replicas: Replicas) -> None:
    """It is on the gateway's origin, so that with a session's cookie alone nothing of a service is shown."""
    replicas.make("opening")
    browser = replicas.browser("opening")
    for path in ("/v1/services/scripted/v1/models/scripted", "/v1/services/scripted/page"):
        opened = browser.client.get(path)
        asked = browser.ask("GET", path)
        assert opened.status_code == 403 or asked.status_code == 404, path
    assert browser.client.get("/v1/services/scripted/v1/models/scripted").status_code == 403


def test_without_users_everything_says_so(gateway: Gateway) -> None:
    for verb, path in (
        ("POST", "/v1/session"), ("GET", "/v1/session"), ("DELETE", "/v1/session"), ("GET", "/v1/session/oidc"),
    ):  # fmt: skip
        body = {"name": "a", "password": "b"} if verb == "POST" else None
        assert code(httpx.request(verb, gateway.url + path, json=body, trust_env=False))[0] == 404, path
    for path in ("/v1/me/tokens", "/v1/admin/users"):
        answer = gateway.get(path)
        assert (answer.status, answer.json()["error"]["code"]) == (404, "users_off"), path


def test_an_edit_of_the_file_is_in_the_audit_log(start_gateway: Any, upstream: ScriptedUpstream) -> None:
    gateway = start_gateway(upstream, config=CONFIG)
    edited = "policies:\n  kids: {operations: ['chat.*'], rpm: 6}\n  new: {}\n"
    edited += f"tokens:\n  - {{name: ci, sha256: {'ab' * 32}, policy: kids}}\n"
    (gateway.folder / "nexus.yaml").write_text(edited)

    def told() -> list[dict[str, Any]]:
        answer = gateway.get("/v1/admin/audit?actor=nexus.yaml")
        return answer.json()["data"] if answer.status == 200 else []

    entries = wait_until(told, 10)
    assert [(one["action"], one["subject"], one["details"]) for one in reversed(entries)] == [
        ("policy.change", "kids", {"changed": ["rpm"]}),
        ("policy.create", "new", {}),
        ("policy.delete", "wide", {}),
        ("token.create", "ci", {}),
    ]
