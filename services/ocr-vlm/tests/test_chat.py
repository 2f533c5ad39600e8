"""What a vision-language model is asked for a page, and what becomes of its answer."""

import base64

import pytest
from nexus_ocr_vlm.chat import ChatReader, body, read_chunk, unfenced

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Model
from nexus.sdk.upstream import Upstream

PNG = b"a picture"


def test_one_picture_and_no_words() -> None:
    request = body(PNG, Model(id="lightonai/LightOnOCR-2-1B"))
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert request == {
        "model": "lightonai/LightOnOCR-2-1B",
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}],
        "max_tokens": 4096,
        "temperature": 0.2,
        "top_p": 0.9,
        "stream": True,
    }


def test_an_entrys_options() -> None:
    options = {"model": "allenai/olmOCR-2-7B", "prompt": "Return the Markdown.", "max_tokens": 9, "temperature": 0.0}
    request = body(PNG, Model(id="olm", options=options))
    assert (request["model"], request["max_tokens"], request["temperature"]) == ("allenai/olmOCR-2-7B", 9, 0.0)
    assert request["messages"][0]["content"][1] == {"type": "text", "text": "Return the Markdown."}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("```markdown\n# Title\n```", "# Title"),
        ("```\nplain\n```\n", "plain"),
        ("  # Title\n", "# Title"),
        ("```python\nprint()\n```", "```python\nprint()\n```"),
        ("```md\na\n```\ntext\n```md\nb\n```", "```md\na\n```\ntext\n```md\nb\n```"),
        ("", ""),
    ],
)
def test_a_fence_around_the_whole_page_goes(said: str, meant: str) -> None:
    assert unfenced(said) == meant


@pytest.mark.parametrize(
    "data",
    [
        "{",
        "[1]",
        '{"a":' * 100_000,
        '{"choices": 1}',
        '{"choices": [{"delta": {"content": 5}}]}',
        '{"error": "out of memory"}',
    ],
)
def test_what_is_no_chunk(data: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_chunk(data)
    assert caught.value.code == "upstream_error"


async def test_an_engine_that_is_away() -> None:
    reader = ChatReader(Upstream("http://127.0.0.1:9"))
    with pytest.raises(ApiError, match="cannot be reached") as caught:
        await reader.discover([])
    assert caught.value.status == 503
    await reader.close()
