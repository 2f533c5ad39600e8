"""Requests as HeartMuLa takes them."""

import json
from typing import Any

import pytest
from nexus_heartmula.song import Song, song_of

from nexus.contract.errors import ApiError
from nexus.contract.wire.music import MusicRequest


def song(**fields: Any) -> Song:
    return song_of(MusicRequest.model_validate_json(json.dumps(fields)))


def test_lyrics_and_tags() -> None:
    made = song(lyrics=" [Verse]\nOh\n", tags=["Piano", " Happy  Days "], duration=12.5, seed=7)
    assert made == Song("[Verse]\nOh", "piano,happy days", 12_500, 7)
    assert made.frames == 156


def test_sampling() -> None:
    made = song(lyrics="x", temperature=0.7, top_k=20, cfg_scale=2)
    assert (made.temperature, made.top_k, made.cfg_scale) == (0.7, 20, 2)
    plain = song(lyrics="x")
    assert (plain.temperature, plain.top_k, plain.cfg_scale, plain.milliseconds) == (1.0, 50, 1.5, 30_000)
    assert song(lyrics="x").seed != plain.seed


def test_what_heartmula_has_no_place_for_becomes_tags() -> None:
    made = song(prompt="A calm waltz, <tag>piano</tag>", tags="piano,Calm", bpm=90, key="F# minor")
    assert made.tags == "piano,calm,a calm waltz,tag piano /tag,90 bpm,f# minor"
    assert made.lyrics == "[Intro]\n\n[Outro]"


@pytest.mark.parametrize(
    ("fields", "param"),
    [({}, "prompt"), ({"tags": " , "}, "prompt"), ({"tags": "x", "bpm": 90, "tempo": 91}, "bpm")],
)
def test_refusals(fields: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        song(**fields)
    assert (caught.value.status, caught.value.param) == (400, param)
