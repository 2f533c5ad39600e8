"""Which models Ollama has, what each can do, and which are in memory: its lists, read into what the SDK offers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final

from pydantic import ValidationError

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Found, Model
from nexus.sdk.upstream import Upstream
from nexus_ollama.errors import broken
from nexus_ollama.known import Known, Options, read_keep_alive

_OPERATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "completion": ("chat.completions", "completions"),
    "embedding": ("embeddings",),
}
_SHOWN_AT_ONCE: Final = 16
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Details:
    """What /api/show tells of one digest."""

    capabilities: frozenset[str] | None
    trained_context: int | None


class Shelf:
    """The models as they were found last. `patterns` are those that are offered; `keep_alive` is Ollama's field."""

    def __init__(self, upstream: Upstream, patterns: Sequence[str], keep_alive: str | int | None) -> None:
        self._upstream = upstream
        self._patterns = tuple(patterns)
        self._keep_alive = keep_alive
        self._details: dict[str, Details] = {}
        self.known: dict[str, Known] = {}
        self.pulling: set[str] = set()

    def allows(self, name: str) -> bool:
        """Whether a model of this name is one that the operator offers."""
        whole = canonical(name)
        return any(fnmatchcase(whole, form) for one in self._patterns for form in (one, canonical(one)))

    async def look(self, wanted: Sequence[Model]) -> list[Found]:
        """Everything there is, the wanted ones first. Raises ApiError where Ollama cannot be asked."""
        tags = {canonical(_name(tag)): tag for tag in _models(await self._upstream.get_json("/api/tags"))}
        running = {canonical(_name(one)): one for one in _models(await self._upstream.get_json("/api/ps"))}
        await self._learn(tags.values())
        known: dict[str, Known] = {}
        found = [self._wanted(model, tags, running, known) for model in wanted]
        described = {canonical(one.name) for one in known.values()}
        for name, tag in tags.items():
            if name not in described and self.allows(name) and not tag.get("remote_host"):
                found += self._offered(Model(id=_name(tag)), Options(), tag, running.get(name), known)
        self.known = known
        return found

    def _wanted(
        self, model: Model, tags: Mapping[str, Any], running: Mapping[str, Any], known: dict[str, Known]
    ) -> Found:
        try:
            options = Options.model_validate(dict(model.options))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return Found(model, "failed", f"options.{where}: {first['msg']}")
        name = canonical(options.model or model.id)
        if name not in tags:
            coming = "it is being pulled" if name in self.pulling else "Ollama does not have it: pull it"
            return Found(model, "failed", f"{name}: {coming}")
        found = self._offered(model, options, tags[name], running.get(name), known)
        return found[0] if found else Found(model, "failed", f"{name} can neither chat nor embed")

    def _offered(
        self, model: Model, options: Options, tag: Mapping[str, Any], running: Any, known: dict[str, Known]
    ) -> list[Found]:
        """The model, or nothing where it can do nothing that is offered here."""
        details = self._details.get(_digest(tag)) or Details(_capabilities(tag), None)
        operations = _operations(details.capabilities, model.operations)
        if not operations:
            return []
        context = options.num_ctx or model.context_length
        engine_options = {**options.options, **({"num_ctx": context} if context else {})}
        known[model.id] = Known(
            name=_name(tag),
            capabilities=details.capabilities,
            trained_context=details.trained_context,
            keep_alive=self._keep_alive if options.keep_alive is None else read_keep_alive(options.keep_alive),
            truncate=options.truncate,
            options=engine_options,
        )
        offered = replace(
            model,
            aliases=(*model.aliases, *_other_names(model.id, _name(tag))),
            operations=operations,
            context_length=context or (_whole(running, "context_length") or None),
            digest=f"sha256:{_digest(tag)}" if _digest(tag) else None,
        )
        if running is None:
            return [Found(offered, "unloaded")]
        vram = _whole(running, "size_vram")
        held = max(0, _whole(running, "size") - vram)
        return [Found(replace(offered, vram_mb=_mib(vram), memory_mb=_mib(held)), "ready")]

    async def _learn(self, tags: Any) -> None:
        """Have the details of new digests, a few at each look, and forget those that are gone."""
        by_digest = {_digest(tag): tag for tag in tags if _digest(tag)}
        self._details = {digest: told for digest, told in self._details.items() if digest in by_digest}
        for digest in [digest for digest in by_digest if digest not in self._details][:_SHOWN_AT_ONCE]:
            try:
                shown = await self._upstream.send_json("POST", "/api/show", json={"model": _name(by_digest[digest])})
            except ApiError as error:
                if error.status in (503, 504):
                    raise
                continue  # one model that cannot be shown is no reason to offer none
            self._details[digest] = _read_details(shown, by_digest[digest])


def canonical(name: str) -> str:
    """The name with its tag, which is `latest` where none is given."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _other_names(model_id: str, name: str) -> tuple[str, ...]:
    short = name.removesuffix(":latest")
    return tuple(other for other in dict.fromkeys((name, short)) if other != model_id)


def _models(answer: Any) -> list[Mapping[str, Any]]:
    models = answer.get("models") if isinstance(answer, dict) else None
    if models is None and isinstance(answer, dict) and "models" in answer:
        return []  # Go writes an empty list as null
    if not isinstance(models, list) or not all(isinstance(one, dict) and _name(one) for one in models):
        raise broken("its list of models is none")
    return models


def _name(model: Mapping[str, Any]) -> str:
    return str(model.get("model") or model.get("name") or "")


def _digest(model: Mapping[str, Any]) -> str:
    return str(model.get("digest") or "").removeprefix("sha256:")


def _capabilities(model: Mapping[str, Any]) -> frozenset[str] | None:
    told = model.get("capabilities")
    return frozenset(map(str, told)) if isinstance(told, list) else None


def _read_details(shown: Any, tag: Mapping[str, Any]) -> Details:
    shown = shown if isinstance(shown, dict) else {}
    info = shown.get("model_info")
    contexts = [
        value
        for key, value in (info.items() if isinstance(info, dict) else ())
        if key.endswith(".context_length") and isinstance(value, int)
    ]
    told = _capabilities(shown)
    return Details(_capabilities(tag) if told is None else told, contexts[0] if contexts else None)


def _operations(capabilities: frozenset[str] | None, wished: tuple[str, ...]) -> tuple[str, ...]:
    able = tuple(
        operation
        for capability, operations in _OPERATIONS.items()
        if capabilities is None or capability in capabilities
        for operation in operations
    )
    return tuple(name for name in able if not wished or name in wished)


def _whole(value: Any, name: str) -> int:
    number = value.get(name, 0) if isinstance(value, Mapping) else 0
    return number if isinstance(number, int) else 0


def _mib(size: int) -> int:
    return -(-size // _MIB)
