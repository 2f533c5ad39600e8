"""The parts alone: cameras and shots, the encoder and what it plays, the filmmakers' table."""

import io
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest
from nexus_video.camera import MOVES, OPENING, View, eased, shots
from nexus_video.coding import Mp4Writer, played
from nexus_video.filmmakers import FILMMAKERS, make
from nexus_video.pictures import covering, fitted, seen
from PIL import Image
from pydantic import ValidationError

from nexus.sdk.engine import Model


def grey(value: int, size: tuple[int, int] = (96, 64)) -> np.ndarray[Any, Any]:
    return np.full((size[1], size[0], 3), value, np.uint8)


def written(values: list[int], fps: int) -> bytes:
    with Mp4Writer((96, 64), fps) as writer:
        for value in values:
            writer.add(grey(value))
        return writer.file()


def test_a_view_is_a_part_of_the_picture() -> None:
    whole = (10.0, 0.0, 110.0, 50.0)
    assert View(1.0, across=1, down=-1).box(whole) == whole
    assert View(2.0).box(whole) == (35.0, 12.5, 85.0, 37.5)
    assert View(2.0, across=1, down=-1).box(whole) == (60.0, 0.0, 110.0, 25.0)


@pytest.mark.parametrize("move", MOVES)
def test_every_move_stays_inside_and_never_stands_still(move: Any) -> None:
    whole = (0.0, 0.0, 1600.0, 900.0)
    boxes = [move.at(step / 50).box(whole) for step in range(51)]
    assert all(left >= 0 and top >= 0 and right <= 1600.001 and bottom <= 900.001 for left, top, right, bottom in boxes)
    steps = [np.abs(np.subtract(*pair)).max() for pair in pairwise(boxes)]
    assert min(steps) > 0.5
    assert max(steps) < 16


def test_easing() -> None:
    assert (eased(0), eased(0.5), eased(1)) == (0, 0.5, 1)
    assert 0 < eased(0.1) < 0.1 < 0.9 < eased(0.9) < 1


@pytest.mark.parametrize("seed", range(5))
def test_shots_share_the_film(seed: int) -> None:
    cut = shots(3, 90, 24, seed, opening=False)
    assert [(shot.first, shot.end, shot.fade) for shot in cut] == [(0, 45, 0), (30, 75, 15), (60, 90, 15)]
    assert all(one.move is not two.move for one, two in pairwise(cut))
    assert [cut[1].strength(frame) for frame in (45, 60)] == [1, 1]
    assert 0 < cut[1].strength(30) < cut[1].strength(37) < cut[1].strength(44) < 1
    assert (cut[0].progress(0), cut[2].progress(89)) == (0, 1)


def test_a_film_shorter_than_its_stills() -> None:
    cut = shots(4, 2, 24, 0, opening=True)
    assert [(shot.first, shot.end) for shot in cut] == [(0, 1), (1, 2)]
    assert cut[0].move is OPENING


def test_a_picture_is_cut_to_the_films_shape() -> None:
    picture = Image.new("RGB", (200, 100))
    assert covering(picture, (100, 100)) == (50, 0, 150, 100)
    assert covering(picture, (400, 100)) == (0, 25, 200, 75)
    assert fitted(grey(9, (300, 100)), (96, 64)).shape == (64, 96, 3)


def test_a_box_between_pixels_moves_the_picture_by_less_than_one() -> None:
    ramp = Image.fromarray(np.repeat(np.arange(0, 250, 10, np.uint8)[None, :, None], 20, 0).repeat(3, 2))
    at, half = (np.asarray(seen(ramp, (left, 0, left + 10, 10), (10, 10)))[5, 5, 0] for left in (5, 5.5))
    assert half - at == 5


def test_colours_survive() -> None:
    colours = np.zeros((64, 96, 3), np.uint8)
    colours[:, :48], colours[:, 48:] = (200, 30, 40), (20, 160, 90)
    with Mp4Writer((96, 64), 24) as writer:
        writer.add(colours)
        file = writer.file()
    (frame,) = played(file, 24, 1, lambda: None)
    assert np.abs(frame[32, 20].astype(int) - (200, 30, 40)).max() < 6
    assert np.abs(frame[32, 76].astype(int) - (20, 160, 90)).max() < 6


def test_what_is_written_is_plain_h264() -> None:
    with av.open(io.BytesIO(written([60] * 10, 5))) as file:
        (stream,) = file.streams
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", Fraction(5))
        assert stream.duration * stream.time_base == 2
        assert stream.codec_context.colorspace == 1


def test_the_same_frames_give_the_same_file() -> None:
    assert written([10, 90, 200], 24) == written([10, 90, 200], 24)


@pytest.mark.parametrize(
    ("fps", "count", "values"),
    [
        (10, 4, [20, 80, 140, 200]),
        (20, 8, [20, 20, 80, 80, 140, 140, 200, 200]),
        (5, 2, [20, 140]),
        (10, 6, [20, 80, 140, 200, 200, 200]),
        (10, 2, [20, 80]),
    ],
)
def test_a_video_is_played_at_another_rate(fps: int, count: int, values: list[int]) -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1

    shown = [float(frame.mean()) for frame in played(written([20, 80, 140, 200], 10), fps, count, look)]
    assert shown == pytest.approx(values, abs=4)
    assert looks >= 2


def test_the_table_of_filmmakers() -> None:
    assert list(FILMMAKERS) == ["animated-stills", "diffusers"]
    with pytest.raises(RuntimeError, match="'magic' is none of animated-stills, diffusers"):
        make(Model(id="m", options={"engine": "magic"}), 1)
    with pytest.raises(ValidationError, match="seconds_per_stil"):
        make(Model(id="m", options={"engine": "animated-stills", "seconds_per_stil": 3}), 1)


def test_diffusers_without_torch_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"needs the package \w+.*requirements-diffusers\.txt") as caught:
        make(Model(id="x", options={"engine": "diffusers"}), 1)
    assert 'extras = ["diffusers"]' in str(caught.value)
