"""The real engine with the real model, loaded once for all tests of this folder."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))

from nexus.contract.wire.chat import ChatRequest  # noqa: E402 - the service's folder has to be on the path first
from nexus.contract.wire.completions import CompletionRequest  # noqa: E402
from nexus.sdk.engine import Call, Model  # noqa: E402
from nexus.sdk.models import read_entry  # noqa: E402
from nexus.sdk.sources import resolve, unresolved  # noqa: E402

CONFIG = {"NEXUS_LLM_THREADS": 0, "NEXUS_LLM_PARALLEL": 4}
HERMES = (
    "{% if tools %}<|im_start|>system\nTools: {% for tool in tools %}{{ tool | tojson }}{% endfor %}\n"
    'Call them as <tool_call>{"name": ..., "arguments": ...}</tool_call><|im_end|>\n{% endif %}'
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content or '' }}"
    "{% if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>\n"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}\n</tool_call>'
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Driven:
    """An engine with one model, asked as the SDK asks it: requests read from JSON, each with a call of its own."""

    def __init__(self, engine: Any, model: Model) -> None:
        self.engine = engine
        self.model = model

    def call(self) -> Call:
        return Call("test", self.model, {})

    def chat(self, call: Call | None = None, **fields: Any) -> Any:
        fields.setdefault("messages", [{"role": "user", "content": "Say hello."}])
        request = ChatRequest.model_validate_json(json.dumps({"model": self.model.id, **fields}))
        return self.engine.chat_completions(request, call or self.call())

    def complete(self, call: Call | None = None, **fields: Any) -> Any:
        request = CompletionRequest.model_validate_json(json.dumps({"model": self.model.id, **fields}))
        return self.engine.completions(request, call or self.call())


@pytest.fixture(scope="session")
def manifest_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The embedded model as its manifest entry describes it, its file found."""
    entry = read_entry(FOLDER / "models" / "smollm2.toml")
    path, digest = resolve(entry, tmp_path_factory.mktemp("cache"), threading.Event())
    plain = unresolved(entry)
    return Model(id=plain.id, path=path, context_length=plain.context_length, options=plain.options, digest=digest)


@pytest.fixture(scope="session")
def make_driven(manifest_model: Model) -> Callable[..., Driven]:
    """Load the model, its context and options changed as wanted; the caller unloads it."""
    from engine import LlmEngine

    def make(context_length: int | None = None, **options: Any) -> Driven:
        model = Model(
            id=manifest_model.id,
            path=manifest_model.path,
            context_length=context_length or manifest_model.context_length,
            options={**manifest_model.options, **options},
        )
        engine = LlmEngine(CONFIG)
        engine.load(model)
        return Driven(engine, model)

    return make


@pytest.fixture(scope="session")
def llm(make_driven: Callable[..., Driven]) -> Iterator[Driven]:
    driven = make_driven(context_length=4096)
    yield driven
    driven.engine.unload(driven.model)


@pytest.fixture(scope="session")
def tool_llm(make_driven: Callable[..., Driven]) -> Iterator[Driven]:
    """The same weights under a template that knows tools: the engine's own way of calling them."""
    driven = make_driven(context_length=2048, chat_template=HERMES)
    yield driven
    driven.engine.unload(driven.model)
