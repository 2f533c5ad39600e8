"""What the operator reads when the stack is up: where it is, with which token, and a first thing to try."""

import json
from collections.abc import Sequence
from typing import Final

from nexus.contract.card import Card

_CHAT: Final = "chat.completions"
_QUESTION: Final = "What is the capital of France?"
_MAX_TOKENS: Final = 64  # a small model may not know when to stop


def chat_model(cards: Sequence[Card]) -> str | None:
    """The first model of the cards that chats."""
    for card in cards:
        for model in card.models:
            if _CHAT in (model.operations or card.capabilities.operations):
                return model.id
    return None


def greeting(url: str, token: str | None, cards: Sequence[Card]) -> str:
    """The text for a stack of these (ready) services. `token` is None where the gateway asks for none."""
    model = chat_model(cards)
    lines = ["", f"  Nexus is at {url}"]
    if token:
        lines.append(f"  Token       {token}")
    lines += ["", "  Try:", "", *_curl(url, token, model), "", "  From Python (pip install openai):", ""]
    lines += _python(url, token, model)
    lines += ["", "  Ctrl-C ends everything.", ""]
    return "\n".join(lines)


def _curl(url: str, token: str | None, model: str | None) -> list[str]:
    head = f"  curl {url}{'/v1/chat/completions' if model else '/v1/models'}"
    if token:
        head += f' -H "Authorization: Bearer {token}"'
    if not model:
        return [head]
    messages = [{"role": "user", "content": _QUESTION}]
    body = json.dumps({"model": model, "max_tokens": _MAX_TOKENS, "messages": messages})
    return [head + ' -H "Content-Type: application/json" \\', f"    -d '{body}'"]


def _python(url: str, token: str | None, model: str | None) -> list[str]:
    lines = [
        "  from openai import OpenAI",
        f'  client = OpenAI(base_url="{url}/v1", api_key="{token or "none"}")',
    ]
    if not model:
        return [*lines, "  print(client.models.list())"]
    return [
        *lines,
        f'  print(client.chat.completions.create(model="{model}", max_tokens={_MAX_TOKENS},',
        f'        messages=[{{"role": "user", "content": "{_QUESTION}"}}]).choices[0].message.content)',
    ]
