"""What is asked: the small chat request and the streamed ones."""

import json
from typing import Any, Final

from bench.upstream.answers import MODEL

PATH: Final = "/v1/chat/completions"
TOKEN: Final = "sk-bench-0123456789abcdef0123456789abcdef"
LIMITED_TOKEN: Final = "sk-bench-fedcba9876543210fedcba9876543210"
"""As long as the other one, of who has limits (see `subjects`)."""

_MESSAGES: Final = [
    {"role": "system", "content": "You are a careful assistant who answers in one short sentence and never guesses."},
    {
        "role": "user",
        "content": "It has rained for three days on the hills above the village, and the river under the old bridge "
        "is high. The ferryman says that the crossing will be closed tomorrow, the baker says that it will not, and "
        "neither of them has looked at the sky since noon. Whom should a traveller believe who has to be in the "
        "market on the other side before the bell rings at nine? Weigh what each of them can know, say in which order "
        "you would ask them, and end with the one sentence that you would tell the traveller.",
    },
]


def chat_body(**fields: Any) -> bytes:
    """A chat request of about 700 bytes; `fields` are added at its top."""
    request = {"model": MODEL, "messages": _MESSAGES, "temperature": 0.2, "max_tokens": 64, **fields}
    return json.dumps(request).encode()


def stream_body(tokens: int, interval_ms: float) -> bytes:
    """The same for `tokens` tokens, one every `interval_ms` (0: as fast as they are read)."""
    return chat_body(stream=True, max_tokens=tokens, user=f"interval_ms={interval_ms:g}")
