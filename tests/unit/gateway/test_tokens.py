"""The keyring follows file and database: what is changed in either is in force, and nothing is lost with either."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway import tokens as module
from nexus.gateway.config import Config
from nexus.gateway.edge.auth import ADMINISTRATOR, MADE, Keyring, digest
from nexus.gateway.settings import load_settings
from nexus.gateway.storage import Opened, Store, opening
from nexus.gateway.tokens import TokenBook
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from nexus.store.errors import DatabaseError
from nexus.store.rows import KeptToken

SECRET = f"{MADE}one"
KIDS = Policy("kids", rpm=3)


def kept(name: str, secret: str = SECRET, policy: str = "default", **values: Any) -> KeptToken:
    return KeptToken(f"token-{name}", name, digest(secret), policy, 1.0, **values)


class Book:
    """A book over a real database; `logged` is what it told."""

    def __init__(self, config: Config, *, wait: bool = False) -> None:
        self.logged: list[tuple[str, dict[str, object]]] = []
        self.used: dict[str, float] = {}
        self.keyring = Keyring()
        self.gate = asyncio.Event()
        if not wait:
            self.gate.set()
        start = opening(load_settings())

        async def held_back() -> Opened:
            await self.gate.wait()
            return await start()

        self.store = Store(held_back, self.log)
        self.book = TokenBook(self.keyring, "sk-root", config, self.store, self.used, self.log)
        self.store.start()

    def log(self, _: str, event: str, **fields: object) -> None:
        self.logged.append((event, fields))

    def events(self) -> list[str]:
        return [event for event, _ in self.logged if event.startswith("tokens")]

    def who(self, secret: str = SECRET) -> str:
        try:
            return self.keyring.check(f"Bearer {secret}".encode()).name
        except ApiError as error:
            return str(error.status)

    def policy(self, secret: str = SECRET) -> Policy | None:
        return self.keyring.check(f"Bearer {secret}".encode()).policy


@pytest.fixture
async def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Any]:
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"sqlite:///{tmp_path}/nexus.db")
    monkeypatch.setenv("NEXUS_FILES_URL", str(tmp_path / "files"))
    made: list[Book] = []

    def begin(config: Config | None = None, **options: bool) -> Book:
        made.append(Book(config or Config(), **options))
        return made[-1]

    yield begin
    for one in made:
        await one.store.close()


async def test_a_token_is_let_in_from_the_next_look_until_it_is_revoked(make) -> None:
    book: Book = make()
    tokens = (await book.store.opened()).tokens
    await tokens.create(kept("ci"), "ada")
    await book.book.look()
    assert (book.who(), book.who("sk-root")) == ("ci", ADMINISTRATOR)
    await tokens.rotate("token-ci", digest(f"{MADE}two"), "ada")
    await book.book.look()
    assert (book.who(), book.who(f"{MADE}two")) == ("401", "ci")
    await tokens.revoke("token-ci", "ada")
    await book.book.look()
    assert (book.who(f"{MADE}two"), book.who("sk-root")) == ("401", ADMINISTRATOR)


async def test_a_look_at_what_has_not_changed_voids_nothing(make) -> None:
    book: Book = make()
    tokens = (await book.store.opened()).tokens
    await tokens.create(kept("ci"), "ada")
    await book.book.look()
    version = book.keyring.version
    await tokens.used({"token-ci": 5.0})
    await book.book.look()
    book.book.apply_config(Config())
    assert book.keyring.version == version
    await tokens.create(kept("other", "sk-other"), "ada")
    await book.book.look()
    assert book.keyring.version == version + 1


async def test_it_looks_by_itself_and_within_a_second(make, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.LOOK_SECONDS <= 0.5
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.01)
    book: Book = make()
    running = asyncio.create_task(book.book.run())
    tokens = (await book.store.opened()).tokens
    await tokens.create(kept("ci"), "ada")

    async def until(name: str) -> None:
        async with asyncio.timeout(5):
            while book.who() != name:
                await asyncio.sleep(0.005)

    await until("ci")
    book.used["ci"] = 1000.0
    async with asyncio.timeout(5):
        while (await tokens.living())[1][0].last_used_at != 1000.0:
            await asyncio.sleep(0.005)
    await tokens.revoke("token-ci", "ada")
    await until("401")
    running.cancel()
    await asyncio.wait((running,))


async def test_before_the_first_look_a_token_that_may_be_the_databases_is_early_and_another_wrong(make) -> None:
    book: Book = make(Config(tokens=(Token(digest("sk-file"), "file"),)), wait=True)
    with pytest.raises(ApiError) as caught:
        book.keyring.check(f"Bearer {SECRET}".encode())
    assert (caught.value.status, caught.value.code) == (503, "storage_unavailable")
    assert caught.value.headers() == {"retry-after": "1"}
    assert [book.who(one) for one in ("sk-other", "sk-file", "sk-root")] == ["401", "file", ADMINISTRATOR]
    version = book.keyring.version
    book.gate.set()
    await book.book.look()
    assert book.who() == "401"
    assert book.keyring.version == version  # nobody whom it knew is concerned


async def test_a_database_that_is_away_leaves_what_was_read_last(make, monkeypatch: pytest.MonkeyPatch) -> None:
    book: Book = make()
    opened = await book.store.opened()
    await opened.tokens.create(kept("ci"), "ada")
    await book.book.look()

    async def fail(*_: object) -> int:
        raise DatabaseError("the database cannot be used")

    async def nonsense(*_: object) -> int:
        raise TypeError("nobody foresaw this")

    for broken in (fail, nonsense):
        with monkeypatch.context() as patched:
            patched.setattr(opened.tokens.__class__, "version", broken)
            for _ in range(3):
                await book.book.look()
            assert book.who() == "ci"
    assert book.events() == ["tokens_not_read"] * 2  # each once, however often it is tried
    await opened.tokens.revoke("token-ci", "ada")
    await book.book.look()
    assert book.who() == "401"


async def test_the_file_wins_over_the_database(make) -> None:
    declared = Token(digest("sk-file"), "ci", KIDS)
    book: Book = make(Config(tokens=(declared,)))
    tokens = (await book.store.opened()).tokens
    await tokens.create(kept("ci"), "ada")
    await tokens.create(kept("same-secret", "sk-file"), "ada")
    await book.book.look()
    assert (book.who(), book.who("sk-file")) == ("401", "ci")
    book.book.apply_config(Config())
    assert (book.who(), book.who("sk-file")) == ("ci", "same-secret")


async def test_policies_are_the_files_as_it_is_now(make) -> None:
    book: Book = make(Config(policies={"kids": KIDS}))
    tokens = (await book.store.opened()).tokens
    await tokens.create(kept("anna", policy="kids"), "ada")
    await tokens.create(kept("ci", "sk-ci"), "ada")
    await book.book.look()
    assert (book.policy(), book.policy("sk-ci")) == (KIDS, None)
    account = book.keyring.bearer("anna").account
    changed = replace(KIDS, rpm=9)
    default = Policy("default", rpm=1)
    book.book.apply_config(Config(policies={"kids": changed, "default": default}))
    assert (book.policy(), book.policy("sk-ci")) == (changed, default)
    book.book.apply_config(Config())
    gone = book.policy()
    assert gone is not None
    assert not gone.operations.allows("chat.completions")
    assert book.keyring.bearer("anna").account is account


async def test_the_last_use_is_written_once_a_minute_and_only_the_databases(make) -> None:
    book: Book = make()
    opened = await book.store.opened()
    await opened.tokens.create(kept("ci"), "ada")
    await opened.tokens.create(kept("idle", "sk-idle"), "ada")
    await book.book.look()

    async def write(at: float) -> list[float | None]:
        book.used.update({"ci": at, ADMINISTRATOR: at, "": at})
        await book.book.write()
        assert not book.used
        return [token.last_used_at for token in (await opened.tokens.living())[1]]

    assert await write(1000.0) == [1000.0, None]
    assert await write(1030.0) == [1000.0, None]
    assert await write(1061.0) == [1061.0, None]


async def test_a_use_that_cannot_be_written_harms_nobody(make, monkeypatch: pytest.MonkeyPatch) -> None:
    book: Book = make()
    opened = await book.store.opened()
    await opened.tokens.create(kept("ci"), "ada")
    await book.book.look()
    for error, told in ((DatabaseError("away"), []), (TypeError("odd"), ["last_used_failed"])):

        async def fail(*_: object, error: Exception = error) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(opened.tokens.__class__, "used", fail)
            book.logged.clear()
            book.used["ci"] = 1000.0 if not told else 2000.0
            await book.book.write()
        assert [event for event, _ in book.logged] == told
    book.used["ci"] = 3000.0
    await book.book.write()
    assert (await opened.tokens.living())[1][0].last_used_at == 3000.0


async def test_who_goes_by_a_name_now(make) -> None:
    book = make(Config(policies={"kids": KIDS}, tokens=(Token(digest("sk-file"), "filed", KIDS),)))
    found = book.book.bearer("filed")
    assert found is not None
    assert (found.name, found.policy) == ("filed", KIDS)
    assert book.book.bearer("nobody") is None
