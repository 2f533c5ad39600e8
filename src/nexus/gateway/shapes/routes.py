"""`routes` of nexus.yaml, and the rules that they mean."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from nexus.gateway.edge.lines import NOT_FORWARDED
from nexus.gateway.shapes.base import Count, Name, Shape, ZoneName
from nexus.gateway.shapes.document import Keys
from nexus.policies.globs import Globs
from nexus.policies.periods import zone_of
from nexus.policies.routing.conditions import At, Condition, Flag, Header, Length, Named
from nexus.policies.routing.hours import DAYS, WHOLE_DAY, Hours, Window, parse_window
from nexus.policies.routing.rule import Action, Deny, Rule, Split, Use, Within

_ACTIONS: Final = ("deny", "use", "split")
_UNSEEN: Final = frozenset(name.decode() for name in NOT_FORWARDED)
"""Headers that no rule is told of: credentials, and what is between a client and the gateway alone."""


def _listed(value: Any) -> Any:
    """One value is a list of it."""
    return value if isinstance(value, list | dict) else [value]


def _header_name(value: str) -> str:
    if value.lower() in _UNSEEN:
        raise ValueError("no rule is told of this header")
    return value.lower()


def _window(value: Any) -> Window:
    if not isinstance(value, str):
        raise ValueError("it should be a time of day as 22:00-06:00")  # noqa: TRY004 - pydantic's
    return parse_window(value)


_Words = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Globs = Annotated[list[Name], Field(min_length=1, max_length=1000), BeforeValidator(_listed)]
_Values = Annotated[list[_Words], Field(min_length=1, max_length=1000), BeforeValidator(_listed)]
_HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$"), AfterValidator(_header_name)]
_Windows = Annotated[
    list[Annotated[Window, BeforeValidator(_window)]], Field(min_length=1, max_length=24), BeforeValidator(_listed)
]
_Days = Annotated[
    list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1), BeforeValidator(_listed)
]
_Weight = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


class WhenShape(Shape):
    """All that must hold; None is what was not written, and nobody can write it."""

    policy: _Globs = None  # type: ignore[assignment]
    token: _Globs = None  # type: ignore[assignment]
    operation: _Globs = None  # type: ignore[assignment]
    model: _Globs = None  # type: ignore[assignment]
    service: _Globs = None  # type: ignore[assignment]
    region: _Values = None  # type: ignore[assignment]
    stream: bool = None  # type: ignore[assignment]
    header: dict[_HeaderName, _Values] = Field(default_factory=dict)
    time: _Windows = None  # type: ignore[assignment]
    days: _Days = None  # type: ignore[assignment]
    timezone: ZoneName = None  # type: ignore[assignment]
    has_tools: bool = None  # type: ignore[assignment]
    has_images: bool = None  # type: ignore[assignment]
    prompt_tokens_over: Count = None  # type: ignore[assignment]
    prompt_tokens_under: Count = None  # type: ignore[assignment]

    @model_validator(mode="after")
    def _has_hours(self) -> Self:
        if self.model_fields_set & {"timezone", "time", "days"} == {"timezone"}:
            raise ValueError("timezone says whose time or days are meant, and neither is there")
        return self


class UseShape(Shape):
    """Where a call goes, at least one of these."""

    model: Name = None  # type: ignore[assignment]
    service: _Globs = None  # type: ignore[assignment]
    instance: _Values = None  # type: ignore[assignment]
    region: _Values = None  # type: ignore[assignment]

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("it should have at least one of model, service, instance, region")
        return self


class RouteShape(Shape):
    """One rule: conditions, and one action."""

    when: WhenShape = WhenShape()
    deny: _Words = None  # type: ignore[assignment]
    use: UseShape = None  # type: ignore[assignment]
    split: Annotated[dict[Name, _Weight], Field(min_length=1, max_length=1000)] = None  # type: ignore[assignment]

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        given = [name for name in _ACTIONS if name in self.model_fields_set]
        if len(given) != 1:
            raise ValueError(f"it should have one of deny, use, split; it has {' and '.join(given) or 'none'}")
        return self


Routes = Annotated[list[RouteShape], Field(max_length=1000)]

ROUTE_KEYS: Final[Keys] = {
    ("routes", "*"): RouteShape,
    ("routes", "*", "when"): WhenShape,
    ("routes", "*", "use"): UseShape,
}


def rules_of(shapes: Sequence[RouteShape]) -> tuple[Rule, ...]:
    """The rules, in their order."""
    return tuple(Rule(number, tuple(_conditions(shape.when)), _action(shape)) for number, shape in enumerate(shapes, 1))


def _conditions(when: WhenShape) -> Iterator[Condition]:
    """Those that cost nothing to look at first."""
    said = when.model_fields_set
    cheap, dear = ("policy", "token", "operation"), ("model", "service", "region")
    yield from (Named(name, Globs(getattr(when, name))) for name in cheap if name in said)
    if "stream" in said:
        yield Flag("stream", when.stream)
    yield from (Named(name, Globs(getattr(when, name))) for name in dear if name in said)
    yield from (Header(name, Globs(values)) for name, values in when.header.items())
    if not said.isdisjoint(("time", "days")):
        yield At(_hours(when))
    yield from (Flag(name, getattr(when, name)) for name in ("has_tools", "has_images") if name in said)
    if "prompt_tokens_over" in said:
        yield Length(over=when.prompt_tokens_over)
    if "prompt_tokens_under" in said:
        yield Length(under=when.prompt_tokens_under)


def _hours(when: WhenShape) -> Hours:
    zone = zone_of(when.timezone or "UTC")
    return Hours(zone, tuple(when.time or (WHOLE_DAY,)), tuple(DAYS.index(day) for day in when.days or ()))


def _action(shape: RouteShape) -> Action:
    said = shape.model_fields_set
    if "deny" in said:
        return Deny(shape.deny)
    if "split" in said:
        return Split(tuple(shape.split.items()))
    use = shape.use
    bounds = {name: Globs(getattr(use, name)) for name in ("service", "instance", "region") if getattr(use, name)}
    return Use(use.model, Within(**bounds) if bounds else None)
