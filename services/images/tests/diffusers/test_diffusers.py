"""The real pipelines on tiny random checkpoints: every way to paint, what can be set, previews, progress, an end."""

import base64
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nexus_images.painter import Easel, Order
from nexus_images.painters import make_painter
from PIL import Image
from pydantic import ValidationError

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Call, Model

Entry = Callable[..., Model]
ORDER = Order(prompt="a cat on the hill", width=96, height=96, seed=7)


@pytest.fixture
def easel() -> Easel:
    return Easel(Call("test", Model(id="tiny"), {}))


@pytest.fixture
def paint(painter: Any, easel: Easel) -> Callable[..., np.ndarray]:
    """The pixels of the order above, changed as told."""

    def do(**changes: Any) -> np.ndarray:
        return np.asarray(painter.paint(replace(ORDER, **changes), easel).picture, int)

    return do


@pytest.fixture
def base() -> Image.Image:
    picture = Image.new("RGB", (96, 96), (200, 60, 40))
    picture.paste((30, 120, 60), (0, 48, 96, 96))
    return picture


def test_a_seed_repeats_its_picture_and_another_differs(paint: Callable[..., np.ndarray]) -> None:
    first = paint()
    assert first.shape == (96, 96, 3)
    assert first.std() > 1
    assert np.array_equal(first, paint())
    assert not np.array_equal(first, paint(seed=8))


@pytest.mark.parametrize(
    "change",
    [{"prompt": "a red house"}, {"negative_prompt": "blue"}, {"steps": 7}, {"guidance_scale": 1.5}],
    ids=lambda change: next(iter(change)),
)
def test_what_can_be_set_is_felt(change: dict[str, Any], paint: Callable[..., np.ndarray]) -> None:
    assert not np.array_equal(paint(), paint(**change))


@pytest.mark.parametrize("size", [(64, 64), (100, 90), (65, 127), (160, 72)])
def test_sizes_are_exact(size: tuple[int, int], paint: Callable[..., np.ndarray]) -> None:
    width, height = size
    assert paint(width=width, height=height).shape == (height, width, 3)
    noise = Image.effect_noise(size, 80).convert("RGB")
    assert paint(width=width, height=height, base=noise).shape == (height, width, 3)
    mask = Image.new("L", size, 255)
    assert paint(width=width, height=height, base=noise, mask=mask).shape == (height, width, 3)


def test_a_cropped_picture_is_the_corner_of_the_larger_one(paint: Callable[..., np.ndarray]) -> None:
    assert np.array_equal(paint(width=90, height=91), paint()[:91, :90])


def test_a_picture_is_changed_by_its_strength(paint: Callable[..., np.ndarray], base: Image.Image) -> None:
    little, much = (paint(base=base, strength=strength, steps=10) for strength in (0.1, 1.0))
    assert not np.array_equal(little, much)
    assert np.array_equal(much, paint(base=base, strength=1.0, steps=10))
    assert not np.array_equal(much, paint(base=base, strength=1.0, steps=10, seed=8))


def test_a_tiny_strength_still_makes_a_step(paint: Callable[..., np.ndarray], base: Image.Image) -> None:
    assert paint(base=base, strength=0.001).shape == (96, 96, 3)


def test_only_what_the_mask_frees_is_inpainted(painter: Any, easel: Easel, base: Image.Image) -> None:
    from nexus_images.answers import whole_answer

    from nexus.sdk.media.picture_files import read_given
    from nexus.sdk.media.picture_requests import PicturesAsked

    mask = Image.new("L", base.size, 0)
    mask.paste(255, (0, 0, 40, 96))
    asked = PicturesAsked("edit", ORDER.prompt, (ORDER.seed,), base.size, images=(base,), mask=mask)
    answer = whole_answer(painter, asked, easel.call)
    picture = np.asarray(read_given(base64.b64decode(answer["data"][0]["b64_json"]), "image").opaque(), int)
    change = np.abs(picture - np.asarray(base, int))
    assert change[:, 40:].max() == 0
    assert change[:, :40].mean() > 1
    assert answer["usage"]["input_tokens_details"] == {"text_tokens": 7, "image_tokens": 18}


def test_previews_are_decoded_on_the_way(painter: Any) -> None:
    shown: list[Image.Image] = []
    easel = Easel(Call("test", Model(id="tiny"), {}), show=shown.append)
    whole = painter.paint(replace(ORDER, steps=8, previews=3), easel).picture
    assert [picture.size for picture in shown] == [whole.size] * 3
    assert len({picture.tobytes() for picture in [*shown, whole]}) == 4
    values = [np.asarray(picture, int) for picture in [*shown, whole]]
    distances = [np.abs(value - values[-1]).mean() for value in values[:-1]]
    assert distances == sorted(distances, reverse=True)  # each is nearer to the finished picture


def test_progress_goes_step_by_step(painter: Any) -> None:
    class Watched(Call):
        def report(self, fraction: float, message: str = "") -> None:
            told.append(round(fraction, 3))

    told: list[float] = []
    painter.paint(replace(ORDER, steps=4), Easel(Watched("test", Model(id="tiny"), {})))
    assert told == [0, 0.2, 0.4, 0.6, 0.8, 1]


def test_work_stops_at_the_next_step(painter: Any) -> None:
    call = Call("test", Model(id="tiny"), {})
    threading.Timer(0.3, call.cancel).start()
    began = time.monotonic()
    with pytest.raises(ApiError, match="cancelled"):
        painter.paint(replace(ORDER, steps=999), Easel(call))
    assert time.monotonic() - began < 1.3
    painter.paint(ORDER, Easel(Call("test", Model(id="tiny"), {})))  # and it goes on painting


def test_a_prompt_that_is_too_long_is_told_and_not_logged(
    painter: Any, easel: Easel, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        description = painter.paint(replace(ORDER, prompt="a cat in the house " * 40), easel).description
    assert description is not None
    assert description.startswith("a cat in the house a cat")
    assert len(description) < 40 * len("a cat in the house ")
    assert painter.paint(ORDER, easel).description is None
    assert "cat" not in caplog.text + "".join(capfd.readouterr())


def test_several_pictures_are_refused_by_name(painter: Any, easel: Easel, base: Image.Image) -> None:
    with pytest.raises(ApiError) as caught:
        painter.paint(replace(ORDER, base=base, references=(base,)), easel)
    assert (caught.value.status, caught.value.param) == (400, "image")


def test_the_native_size_is_the_checkpoints(painter: Any) -> None:
    assert painter.native == 96


@pytest.mark.filterwarnings("ignore:`upcast_vae`:FutureWarning")  # diffusers' own pipeline calls it
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype: str, checkpoint: Path, entry: Entry, base: Image.Image) -> None:
    import torch

    shown: list[Image.Image] = []
    easel = Easel(Call("test", Model(id="tiny"), {}), show=shown.append)
    painter: Any = make_painter(entry(checkpoint, dtype=dtype), 1)
    assert painter._from_text.unet.dtype == getattr(torch, dtype)
    pictures = [painter.paint(replace(ORDER, previews=1), easel).picture]
    pictures.append(painter.paint(replace(ORDER, base=base), easel).picture)
    assert painter._from_text.vae.dtype == getattr(torch, dtype)
    assert [np.asarray(picture).std() > 1 for picture in [*pictures, *shown]] == [True] * 3
    painter.close()


def test_entries_that_cannot_be(tmp_path: Path, checkpoint: Path, entry: Entry) -> None:
    import torch

    for path in (None, tmp_path, tmp_path / "none"):
        with pytest.raises(RuntimeError, match=r"checkpoint folder \(one with a model_index\.json\)"):
            make_painter(entry(path), 1)
    with pytest.raises(ValidationError, match="dtype"):
        make_painter(entry(checkpoint, dtype="int4"), 1)
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="device is 'cuda'"):
            make_painter(entry(checkpoint, device="cuda"), 1)
