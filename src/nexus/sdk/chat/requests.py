"""What requests for chat and completions mean alike for every engine."""

from collections.abc import Sequence
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.base import each_text
from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.contract.wire.tools import FunctionTool, NamedToolChoice

DEFAULT_COMPLETION_TOKENS: Final = 16  # OpenAI's, where a completion gives no max_tokens
MOST_PROMPTS: Final = 64

Prompt = str | Sequence[int]


def answer_limit(request: ChatRequest | CompletionRequest) -> int | None:
    """How many tokens an answer may have, where the request says it. Raises ApiError (400) for none at all."""
    name = "max_tokens"
    if isinstance(request, ChatRequest) and request.max_completion_tokens is not None:
        name = "max_completion_tokens"
    limit: int | None = getattr(request, name)
    if limit == 0:
        raise ApiError(INVALID_REQUEST, f"{name} must be at least 1", param=name)
    return limit


def stops(request: ChatRequest | CompletionRequest) -> list[str]:
    """The sequences that end an answer. Raises ApiError (400)."""
    found = [request.stop] if isinstance(request.stop, str) else list(request.stop or ())
    if "" in found:
        raise ApiError(INVALID_REQUEST, "a stop sequence must not be empty", param="stop")
    return found


def prompts(request: CompletionRequest) -> list[Prompt]:
    """The request's prompts one by one, texts or tokens. Raises ApiError (400)."""
    found: list[Prompt] = [item if isinstance(item, str) else list(item) for item in each_text(request.prompt)]
    if len(found) > MOST_PROMPTS:
        raise ApiError(INVALID_REQUEST, f"at most {MOST_PROMPTS} prompts at once", param="prompt")
    if not all(found):
        raise ApiError(INVALID_REQUEST, "a prompt must not be empty", param="prompt")
    return found


def offered_tools(request: ChatRequest) -> tuple[FunctionTool, ...]:
    """The tools that `tool_choice` leaves on offer. Raises ApiError (400)."""
    tools, choice = request.tools or (), request.tool_choice
    names = [tool.function.name for tool in tools]
    if len(set(names)) < len(names):
        raise ApiError(INVALID_REQUEST, "two tools have the same name", param="tools")
    if isinstance(choice, NamedToolChoice):
        if choice.function.name not in names:
            raise ApiError(INVALID_REQUEST, f"no tool is named {choice.function.name!r}", param="tool_choice")
        return (tools[names.index(choice.function.name)],)
    if choice == "required" and not tools:
        raise ApiError(INVALID_REQUEST, "tool_choice is required but there are no tools", param="tool_choice")
    return () if choice == "none" else tuple(tools)
