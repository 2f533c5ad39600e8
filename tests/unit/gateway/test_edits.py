"""What an edit changed, and that it is written though the database was away."""

from typing import Any

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.gateway.config import Config
from nexus.gateway.edits import Edit, EditLog, edits
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from nexus.store.rows import AuditEntry

A, B = Policy("a", rpm=1), Policy("b")
CI = Token(b"1" * 32, "ci", A)


def test_what_is_otherwise_is_told_by_its_keys() -> None:
    before = Config(policies={"a": A, "b": B}, tokens=(CI, Token(b"2" * 32, "old")))
    after = Config(
        policies={"a": Policy("a", rpm=2, ip_allow=()), "c": Policy("c")},
        tokens=(Token(b"3" * 32, "ci", A, 9.0), Token(b"4" * 32, "new")),
    )
    assert edits(before, after) == [
        Edit("policy.change", "a", {"changed": ["rpm"]}),
        Edit("policy.delete", "b", {}),
        Edit("policy.create", "c", {}),
        Edit("token.change", "ci", {"changed": ["sha256", "expires"]}),
        Edit("token.create", "new", {}),
        Edit("token.delete", "old", {}),
    ]
    assert edits(before, before) == []


def test_a_token_whose_policy_is_edited_is_none_that_is() -> None:
    edited = Policy("a", rpm=9)
    before = Config(policies={"a": A}, tokens=(CI,))
    after = Config(policies={"a": edited}, tokens=(Token(CI.digest, "ci", edited),))
    assert [one.subject for one in edits(before, after)] == ["a"]


class _Storage:
    """Away at first; then it takes what it is given."""

    def __init__(self) -> None:
        self.away = True
        self.entries: list[AuditEntry] = []
        self.audit = self

    async def opened(self) -> "_Storage":
        if self.away:
            raise ApiError(OVERLOADED, "away")
        return self

    async def add(self, entries: tuple[AuditEntry, ...]) -> None:
        self.entries += entries


async def test_what_could_not_be_written_is_written_later_and_once() -> None:
    storage, told = _Storage(), []

    def log(level: str, event: str, **_: Any) -> None:
        told.append(event)

    edited = EditLog(Config(), storage, log, lambda: 5.0)  # type: ignore[arg-type]
    edited.apply_config(Config(policies={"a": A}))
    assert not await edited.write()
    edited.apply_config(Config(policies={"a": A, "b": B}))
    storage.away = False
    assert await edited.write()
    assert await edited.write()
    assert [(one.at, one.actor, one.action, one.subject) for one in storage.entries] == [
        (5.0, "nexus.yaml", "policy.create", "a"),
        (5.0, "nexus.yaml", "policy.create", "b"),
    ]
    assert told == ["edits_not_audited"]
