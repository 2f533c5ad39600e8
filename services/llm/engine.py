"""The llm service's engine: llama.cpp in this process, behind OpenAI's chat and completions."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, TypeVar

from nexus_llm.chat import Chat
from nexus_llm.completions import Completions
from nexus_llm.native import FINGERPRINT, Native, Settings
from nexus_llm.options import read_options
from nexus_llm.steps import Tally

from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.chat.answers import answer, new_assembly
from nexus.sdk.chat.heads import Answer
from nexus.sdk.cores import spare_cores
from nexus.sdk.engine import Call, Engine, Model
from nexus.sdk.loaded import Loaded

_DEFAULT_CONTEXT = 4096
_MOST_THREADS = 8
_Item = TypeVar("_Item")


class LlmEngine(Engine):
    """Each model of the manifest is one native engine with as many sequences as NEXUS_LLM_PARALLEL says."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._natives = Loaded[Native]()

    def load(self, model: Model) -> None:
        """Read the model's file into memory. Raises RuntimeError when the engine cannot use it."""
        if model.path is None:
            raise RuntimeError(f"the manifest entry of {model.id} gives no file")
        threads = int(self.config["NEXUS_LLM_THREADS"]) or spare_cores(_MOST_THREADS)
        context = model.context_length or _DEFAULT_CONTEXT
        settings = Settings(threads, int(self.config["NEXUS_LLM_PARALLEL"]), context, read_options(model.options))
        self._natives[model.id] = Native(model.path, settings)

    def unload(self, model: Model) -> None:
        """Free the model's memory; generations that still run end first."""
        native = self._natives.pop(model.id, None)
        if native is not None:
            native.close()

    def chat_completions(self, request: ChatRequest, call: Call) -> Answer | Iterator[Answer]:
        """A whole answer, or its chunks when the request says `stream`; either way at the engine's pace."""
        chat = Chat(self._natives.of(call), request, call, Tally())
        assembly = new_assembly(request, call.model.id, FINGERPRINT)
        return answer(_begun(chat.steps()), assembly, chat.tally.usage)

    def completions(self, request: CompletionRequest, call: Call) -> Answer | Iterator[Answer]:
        """A whole completion, or its chunks when the request says `stream`."""
        completions = Completions(self._natives.of(call), request, call)
        assembly = new_assembly(request, call.model.id, FINGERPRINT)
        return answer(_begun(completions.steps()), assembly, completions.usage)


def _begun(items: Iterator[_Item]) -> Iterator[_Item]:
    """The same items, the first already made: what is wrong with a request shows before an answer begins."""
    return chain([next(items)], items)
