"""The sound's parts: volumes, the room, the ceiling."""

import numpy as np
from nexus_music.room import Room, limited
from nexus_music.synth import Player, volumes_for

from nexus.sdk.engine import Model


def test_volumes_stand_to_one_another_by_their_cubes() -> None:
    volumes = volumes_for({"lead": 1.0, "bass": 0.125})
    assert (volumes["lead"], volumes["bass"]) == (127, 64)
    assert volumes_for({}) == {}


def test_the_player_is_heard_while_a_note_sounds(model: Model) -> None:
    assert model.path is not None
    player = Player(model.path.read_bytes(), {"lead": 48}, 0, {})
    assert not player.render(1000).any()
    player.strike("lead", 60, 100)
    assert np.abs(player.render(10000)).max() > 0.01
    player.strike("lead", 60, 0)
    player.render(44100 * 3)
    assert np.abs(player.render(1000)).max() < 1e-3


def test_the_room_answers_later_and_the_same_in_other_blocks() -> None:
    click = np.zeros((4000, 2), np.float32)
    click[0] = 1
    whole = Room(4000).play(click)
    room = Room(1000)
    parts = np.concatenate([room.play(click[at : at + 1000]) for at in range(0, 4000, 1000)])
    assert np.allclose(whole, parts, atol=1e-6)
    assert np.abs(whole[1:500]).max() < 1e-6
    assert np.abs(whole[600:]).max() > 1e-4


def test_the_ceiling_holds_and_leaves_the_rest_alone() -> None:
    loud = np.array([[0.5, -0.5], [1.0, -3.0]], np.float32)
    held = limited(loud)
    assert (held[0] == loud[0]).all()
    assert 0.7 < held[1, 0] < -held[1, 1] <= 0.971
