"""Forms become the requests that JSON would have made; what is wrong is named as in JSON."""

from typing import Any, Literal

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.forms import read_form
from nexus.contract.wire.base import Count, Number, Wire
from nexus.contract.wire.ocr import OcrRequest
from nexus.contract.wire.transcriptions import TranscriptionRequest
from nexus.contract.wire.videos import ImageReference, VideosRequest


class Part(Wire):
    size: Count


class Ask(Wire):
    prompt: str
    n: Count = 1
    share: Number | None = None
    kind: Literal["a", "b"] = "a"
    flag: bool | None = None
    words: tuple[str, ...] = ()
    part: Part | None = None
    many: tuple[Part, ...] = ()
    anything: dict[str, Any] | None = None
    text_or_more: str | tuple[str, ...] | None = None


def read(fields: dict[str, str], lists: dict[str, tuple[str, ...]] | None = None) -> dict[str, Any]:
    return read_form(Ask, {"prompt": "x", **fields}, lists or {}).model_dump(exclude_unset=True, exclude={"prompt"})


@pytest.mark.parametrize(
    ("fields", "lists", "meant"),
    [
        ({}, {}, {}),
        (
            {"n": "3", "share": "0.5", "flag": "true", "kind": "b"},
            {},
            {"n": 3, "share": 0.5, "flag": True, "kind": "b"},
        ),
        ({"n": "", "share": " ", "flag": ""}, {"words": ("", " ")}, {}),
        ({}, {"words": ("one", "2", "")}, {"words": ("one", "2")}),
        ({"words": "one"}, {}, {"words": ("one",)}),
        ({"words": '["one", "two"]'}, {}, {"words": ("one", "two")}),
        ({"words": "[one"}, {}, {"words": ("[one",)}),
        ({"part[size]": "7"}, {}, {"part": {"size": 7}}),
        ({"part": '{"size": 7}'}, {}, {"part": {"size": 7}}),
        ({"part": "nothing", "part[size]": "7"}, {}, {"part": {"size": 7}}),
        ({"many": '[{"size": 1}, {"size": "2"}]'}, {}, {"many": ({"size": 1}, {"size": 2})}),
        ({"anything[a][b]": "c"}, {"anything[d]": ("e",)}, {"anything": {"a": {"b": "c"}, "d": ["e"]}}),
        ({"text_or_more": "one"}, {}, {"text_or_more": "one"}),
        ({"text_or_more": '["one"]'}, {}, {"text_or_more": ("one",)}),
        ({"unknown": "[1]", "odd[": "1", "[odd]": "2", "a[b]c": "3", "": "4"}, {}, None),
    ],
)
def test_what_a_form_means(fields: dict[str, str], lists: dict[str, Any], meant: dict[str, Any] | None) -> None:
    assert read(fields, lists) == (fields if meant is None else meant)


def test_a_text_that_looks_like_json_is_a_text_where_texts_are_meant() -> None:
    for text in ("[1]", '{"a": 1}', "3", "true", "null"):
        assert read_form(Ask, {"prompt": text}).prompt == text


@pytest.mark.parametrize(
    ("fields", "lists", "param"),
    [
        ({"prompt": ""}, {}, None),
        ({"n": "two"}, {}, "n"),
        ({"n": "-1"}, {}, "n"),
        ({"n": "1.5"}, {}, "n"),
        ({"n": "[1]"}, {}, "n"),
        ({"share": "nan"}, {}, "share"),
        ({"kind": "c"}, {}, "kind"),
        ({"flag": "perhaps"}, {}, "flag"),
        ({"part[size]": "big"}, {}, "part.size"),
        ({"part[other]": "big"}, {}, "part.size"),
        ({"part": "big"}, {}, "part"),
        ({"many": '[{"size": 1}, {"size": -2}]'}, {}, "many[1].size"),
        ({"n[part]": "1"}, {}, "n"),
        ({}, {"n": ("1", "2")}, "n"),
        ({"prompt[part]": "1"}, {}, "prompt"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, str], lists: dict[str, Any], param: str | None) -> None:
    if param is None:
        assert read_form(Ask, fields).prompt == ""  # what has to be there is judged as it came
        return
    with pytest.raises(ApiError) as caught:
        read(fields, lists)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert caught.value.message.startswith(f"{param}: ")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ApiError) as caught:
        read_form(Ask, {})
    assert caught.value.param == "prompt"


def test_what_openais_clients_write() -> None:
    heard = read_form(
        TranscriptionRequest,
        {"response_format": "verbose_json", "chunking_strategy[type]": "server_vad", "stream": "false"},
        {"timestamp_granularities": ("word", "segment")},
    )
    assert heard.timestamp_granularities == ("word", "segment")
    assert (heard.chunking_strategy, heard.stream) == ({"type": "server_vad"}, False)
    url = "data:image/png;base64,AA=="
    for fields in ({"input_reference[image_url]": url}, {"input_reference": f'{{"image_url": "{url}"}}'}):
        video = read_form(VideosRequest, {"prompt": "x", "seconds": "8", "seed": "5", **fields})
        assert (video.seconds, video.seed, video.input_reference) == ("8", 5, ImageReference(image_url=url))
    assert read_form(VideosRequest, {"prompt": "x", "input_reference": url}).input_reference == url


@pytest.mark.parametrize(
    ("fields", "lists", "pages"),
    [
        ({"pages": "1"}, {}, 1),
        ({"pages": "0-2"}, {}, "0-2"),
        ({"pages": "[0, 2]"}, {}, (0, 2)),
        ({}, {"pages": ("0", "2-3")}, (0, "2-3")),
    ],
)
def test_numbers_or_texts(fields: dict[str, str], lists: dict[str, Any], pages: Any) -> None:
    assert read_form(OcrRequest, fields, lists).pages == pages
