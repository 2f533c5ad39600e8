"""`policies` and `tokens` of nexus.yaml, and what they mean."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from nexus.gateway.admit.guards.parameters import LENGTHS
from nexus.gateway.allowlist import Cidr
from nexus.gateway.shapes.base import Count, Name, Shape, ZoneName
from nexus.gateway.shapes.document import Keys
from nexus.policies.budgets import Budget, Budgets
from nexus.policies.globs import Globs
from nexus.policies.parameters import Overrides, Parameters, Rules
from nexus.policies.periods import zone_of
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from nexus.store.rows import BEARER_PREFIX

RESERVED: Final = ("administrator", "anonymous")
"""Names that no token of the file may have: the one sees everybody's things, the other is nobody."""

_NOT_FORCED: Final = frozenset(("model", "stream", "background")).union(*LENGTHS.values())


def _all() -> list[str]:
    return ["*"]


def _force(value: dict[str, Any]) -> dict[str, Any]:
    for name in value:
        if name in _NOT_FORCED:
            raise ValueError(f"{name} cannot be forced{'; use max_tokens' if 'token' in name else ''}")
    return value


def _moment(value: object) -> object:
    """A date is its first moment, and a time without a zone is UTC's."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime.combine(value, datetime.time())
    if not isinstance(value, datetime.datetime):
        raise ValueError("it should be a date or a time, as 2027-01-01 or 2027-01-01T12:00:00Z")  # noqa: TRY004 - pydantic's
    return value if value.tzinfo else value.replace(tzinfo=datetime.UTC)


PolicyName = Annotated[Name, StringConstraints(max_length=64)]
_Globs = Annotated[list[Name], Field(min_length=1, max_length=1000)]
_Force = Annotated[dict[Name, Any], AfterValidator(_force)]


class RulesShape(Shape):
    """See `policies.parameters.Rules`; None is what was not written, and nobody can write it."""

    max_tokens: Count = None  # type: ignore[assignment]
    force: _Force = None  # type: ignore[assignment]
    forbid: list[Name] = None  # type: ignore[assignment]
    system_prefix: str = None  # type: ignore[assignment]


class ParametersShape(RulesShape):
    """The rules for all models, and those that differ."""

    models: dict[Name, RulesShape] = Field(default_factory=dict)


class BudgetShape(Shape):
    """See `policies.budgets.Budget`."""

    requests: Count = 0
    tokens: Count = 0
    engine_seconds: Count = 0


class BudgetsShape(Shape):
    """See `policies.budgets.Budgets`."""

    day: BudgetShape = BudgetShape()
    month: BudgetShape = BudgetShape()
    timezone: ZoneName = "UTC"


class PolicyShape(Shape):
    """See `policies.policy.Policy`."""

    rpm: Count = 0
    tpm: Count = 0
    concurrency: Count = 0
    models: _Globs = Field(default_factory=_all)
    operations: _Globs = Field(default_factory=_all)
    tools: _Globs = Field(default_factory=_all)
    ip_allow: list[Cidr] = Field(default_factory=list)
    priority: Literal["interactive", "normal", "batch"] = "interactive"
    max_request_bytes: Count = 0
    parameters: ParametersShape = ParametersShape()
    budgets: BudgetsShape = None  # type: ignore[assignment]  # None is what was not written, and nobody can write it


class TokenShape(Shape):
    """See `policies.token.Token`; `policy` names one of the file's."""

    name: PolicyName
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")]
    policy: str = "default"
    expires: Annotated[datetime.datetime, BeforeValidator(_moment)] = None  # type: ignore[assignment]


POLICY_KEYS: Final[Keys] = {
    ("policies", "*"): PolicyShape,
    ("policies", "*", "budgets"): BudgetsShape,
    ("policies", "*", "budgets", "day"): BudgetShape,
    ("policies", "*", "budgets", "month"): BudgetShape,
    ("policies", "*", "parameters"): ParametersShape,
    ("policies", "*", "parameters", "models", "*"): RulesShape,
    ("tokens", "*"): TokenShape,
}


def policies_of(shapes: Mapping[str, PolicyShape]) -> dict[str, Policy]:
    """The policies by name."""
    return {
        name: Policy(
            name,
            shape.rpm,
            shape.tpm,
            shape.concurrency,
            Globs(shape.models),
            Globs(shape.operations),
            tuple(shape.ip_allow),
            shape.max_request_bytes,
            _parameters(shape.parameters),
            Globs(shape.tools),
            shape.priority,
            None if shape.budgets is None else _budgets(shape.budgets),
        )
        for name, shape in shapes.items()
    }


def _budgets(shape: BudgetsShape) -> Budgets | None:
    """None where they bound nothing."""
    budgets = Budgets(_budget(shape.day), _budget(shape.month), shape.timezone, zone_of(shape.timezone))
    return budgets if budgets.day != Budget() or budgets.month != Budget() else None


def _budget(shape: BudgetShape) -> Budget:
    return Budget(shape.requests, shape.tokens, shape.engine_seconds)


def _parameters(shape: ParametersShape) -> Parameters:
    overrides = tuple(
        Overrides(
            Globs((pattern,)),
            own.max_tokens,
            own.force,
            None if own.forbid is None else tuple(own.forbid),
            own.system_prefix,
        )
        for pattern, own in shape.models.items()
    )
    return Parameters(
        Rules(shape.max_tokens or 0, shape.force or {}, tuple(shape.forbid or ()), shape.system_prefix or ""), overrides
    )


class TokenMistakeError(ValueError):
    """A token that cannot be meant so: the `index` of it in the list, the `key` and why."""

    def __init__(self, index: int, key: str, why: str) -> None:
        super().__init__(why)
        self.index = index
        self.key = key


def tokens_of(shapes: Sequence[TokenShape], policies: Mapping[str, Policy]) -> tuple[Token, ...]:
    """The tokens with their policies. Raises TokenMistakeError."""
    tokens: dict[bytes, Token] = {}
    names: set[str] = set()
    for index, shape in enumerate(shapes):
        digest = bytes.fromhex(shape.sha256)
        if shape.name in RESERVED or shape.name.startswith(BEARER_PREFIX):
            raise TokenMistakeError(index, "name", f"{shape.name!r} is not free: it stands for somebody already")
        if shape.name in names:
            raise TokenMistakeError(index, "name", f"another token is called {shape.name!r} already")
        if digest in tokens:
            raise TokenMistakeError(index, "sha256", f"it is that of the token {tokens[digest].name!r} already")
        if shape.policy not in policies:
            known = ", ".join(policies) or "none"
            raise TokenMistakeError(index, "policy", f"there is no policy {shape.policy!r} (there is {known})")
        names.add(shape.name)
        expires = shape.expires.timestamp() if shape.expires else None
        tokens[digest] = Token(digest, shape.name, policies[shape.policy], expires)
    return tuple(tokens.values())
