"""Pages read by the real networks: what is written comes back, in order, in the shape that clients know."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from drawing import packed, page, write
from nexus_ocr.reader import Reader
from PIL import Image
from pydantic import ValidationError

from nexus.contract.errors import ApiError
from nexus.contract.wire.ocr import OcrRequest, OcrResponse
from nexus.sdk.engine import Call, Form, Model, Upload

Ask = Callable[..., OcrResponse]
LINES = [
    "The quick brown fox jumps over the lazy dog.",
    "Invoice 2026-1138: total 42.50 EUR, due on 3 May",
    "It was the best of times; it was the worst of times.",
    "Questions? Write to ada@example.com (24 hours)",
]


def test_a_page_returns_its_lines(ask: Ask) -> None:
    image = page(LINES)
    answer = ask(packed(image))
    (read,) = answer.pages
    assert read.markdown.splitlines() == LINES
    assert (read.index, read.images, read.blocks, read.confidence_scores) == (0, (), None, None)
    assert read.dimensions
    assert (read.dimensions.width, read.dimensions.height, read.dimensions.dpi) == (1000, 700, 72)
    assert answer.model == "pp-ocrv6-small"
    assert (answer.usage_info.pages_processed, answer.usage_info.doc_size_bytes) == (1, len(packed(image)))


@pytest.mark.parametrize(("form", "size"), [("JPEG", 18), ("WEBP", 32), ("GIF", 22)])
def test_other_formats_and_sizes(ask: Ask, form: str, size: int) -> None:
    body = packed(page(LINES, size=size, pitch=2 * size), form)
    assert ask(body).pages[0].markdown.split() == " ".join(LINES).split()


def test_long_lines_are_read_the_right_way_up(ask: Ask) -> None:
    lines = [f"{n}. The quick brown fox jumps over the lazy dog, invoice {n * 37}" for n in range(1, 20)]
    assert ask(packed(page(lines))).pages[0].markdown.splitlines() == lines


def test_lines_upside_down_are_read_too(ask: Ask) -> None:
    body = packed(page(LINES).rotate(180))
    assert sorted(ask(body).pages[0].markdown.splitlines()) == sorted(LINES)


def test_a_heading_and_paragraphs(ask: Ask) -> None:
    image = page(LINES[:2], at=(60, 160))
    write(image, ["Quarterly report"], 48, 0, (60, 50))
    write(image, LINES[2:], 22, 34, (60, 300))
    answer = ask(packed(image), include_blocks=True).pages[0]
    assert answer.markdown == "\n\n".join(["# Quarterly report", "\n".join(LINES[:2]), "\n".join(LINES[2:])])
    title, *texts = answer.blocks or ()
    assert (title.type, title.content) == ("title", "# Quarterly report")
    assert [text.type for text in texts] == ["text", "text"]
    assert 40 < title.top_left_x < 65
    assert 40 < title.top_left_y < 70
    assert 90 < title.bottom_right_y < 130
    assert 380 < title.bottom_right_x < 480


def test_columns(ask: Ask) -> None:
    left = ["The left column of this page has", "three lines of running text", "that belong to one another,"]
    right = ["while the right one of the two is", "to be read only after the left", "has come to its end."]
    image = page(left, at=(40, 100), shape=(900, 400))
    write(image, right, 22, 34, (500, 100))
    assert ask(packed(image)).pages[0].markdown == "\n".join(left) + "\n\n" + "\n".join(right)


def test_a_pdfs_pages(ask: Ask) -> None:
    pages = [page([f"Page number {number}", *LINES[:2]]) for number in range(3)]
    body = packed(pages[0], "PDF", save_all=True, append_images=pages[1:], resolution=100)
    answer = ask(body, "application/pdf", pages="0,2")
    assert [read.index for read in answer.pages] == [0, 2]
    for read in answer.pages:
        assert read.markdown.splitlines() == [f"Page number {read.index}", *LINES[:2]]
        assert read.dimensions
        assert (read.dimensions.dpi, read.dimensions.width) == (150, 1500)
    assert answer.usage_info.pages_processed == 2


def test_a_picture_the_wrong_way_up_is_turned_by_its_exif(ask: Ask) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    body = packed(page(LINES).transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)
    assert ask(body).pages[0].markdown.splitlines() == LINES


def test_a_large_picture_has_boxes_in_its_own_pixels(ask: Ask, model: Model) -> None:
    image = page(LINES[:3], size=80, pitch=130, at=(300, 400), shape=(4800, 1200))
    (block,) = ask(packed(image), include_blocks=True).pages[0].blocks or ()
    assert block.content.splitlines() == LINES[:3]
    assert 270 < block.top_left_x < 320
    assert 380 < block.top_left_y < 430
    assert 700 < block.bottom_right_y < 790


def test_an_empty_page_is_empty(ask: Ask) -> None:
    (read,) = ask(packed(page([])), include_blocks=True, confidence_scores_granularity="word").pages
    assert (read.markdown, read.blocks) == ("", ())
    assert read.confidence_scores
    assert read.confidence_scores.word_confidence_scores == ()


def test_confidence_by_page_and_by_word(ask: Ask) -> None:
    body = packed(page(LINES[:2]))
    whole = ask(body, confidence_scores_granularity="page").pages[0].confidence_scores
    assert whole
    assert 0 < whole.minimum_page_confidence_score <= whole.average_page_confidence_score <= 1
    assert whole.average_page_confidence_score > 0.9
    assert whole.word_confidence_scores is None
    read = ask(body, confidence_scores_granularity="word").pages[0]
    assert read.confidence_scores
    words = read.confidence_scores.word_confidence_scores or ()
    assert [word.text for word in words] == " ".join(LINES[:2]).split()
    for word in words:
        assert read.markdown[word.start_index :].startswith(word.text)
        assert 0.5 < word.confidence <= 1


def test_a_form(engine: Any, call: Call) -> None:
    upload = Upload("a.png", "image/png", packed(page(LINES[:1])))
    answer = engine.ocr(Form({"include_blocks": "true"}, {}, {"file": upload}, {"file": (upload,)}), call)
    assert [block["content"] for block in answer["pages"][0]["blocks"]] == LINES[:1]


def test_progress_is_told(engine: Any, call: Call, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(call, "report", lambda fraction, message="": told.append((fraction, message)))
    pages = [page(LINES[:2]), page(LINES[:2])]
    ask(packed(pages[0], "PDF", save_all=True, append_images=pages[1:]), "application/pdf")
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert {0, 0.25, 0.5, 0.75} <= set(fractions)
    assert {message for _, message in told} == {"page 1 of 2", "page 2 of 2"}


def test_work_stops_when_the_caller_leaves(engine: Any, ask: Ask, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [page(LINES * 4)] * 3
    body = packed(pages[0], "PDF", save_all=True, append_images=pages[1:])
    begun = threading.Event()
    monkeypatch.setattr(call, "report", lambda fraction, message="": begun.set() if fraction else None)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask, body, "application/pdf")
        assert begun.wait(30)
        call.cancel()
        left = time.monotonic()
        with pytest.raises(ApiError, match="cancelled"):
            asking.result()
    assert time.monotonic() - left < 1


@pytest.mark.parametrize(
    ("body", "fields", "param"),
    [
        (packed(page([])), {"pages": [1]}, "pages"),
        (packed(page([])), {"pages": "x"}, "pages"),
        (packed(page(LINES))[:2000], {}, "document.document_url"),
        (packed(Image.new("L", (4000, 3000))), {}, "document.document_url"),
        (packed(page(LINES), "PDF")[:900], {}, "document.document_url"),
        (
            packed(Image.new("L", (9, 9)), "TIFF", save_all=True, append_images=[Image.new("L", (9, 9))] * 3),
            {},
            "pages",
        ),
        (b"", {}, "document.document_url"),
        (b"MZ", {}, "document.document_url"),
    ],
)
def test_bad_input_is_refused_by_name(ask: Ask, body: bytes, fields: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        ask(body, **fields)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_an_unloaded_model_is_not_ready(engine: Any) -> None:
    other = Model(id="other")
    engine.unload(other)
    with pytest.raises(ApiError) as caught:
        engine.ocr(OcrRequest(image="AAAA"), Call("test", other, {}))
    assert caught.value.status == 503


def test_a_manifest_entry_that_cannot_be_loaded_says_why(engine: Any, model: Model, tmp_path: Path) -> None:
    assert model.path
    with pytest.raises(RuntimeError, match="gives no folder"):
        engine.load(Model(id="other"))
    with pytest.raises(FileNotFoundError, match="no network at"):
        Reader(tmp_path, model.options, 1)
    with pytest.raises(ValidationError, match="detection_side"):
        Reader(model.path, {**model.options, "detection_side": 1}, 1)
