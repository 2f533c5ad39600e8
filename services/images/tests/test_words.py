"""What prompts are understood to mean: a style, a scene, or nothing that is known."""

import pytest
from nexus_images.cartography import PALETTES
from nexus_images.scene import read_scene
from nexus_images.styles import STYLES, named_style


def test_each_style_has_its_place_and_words_of_its_own() -> None:
    assert [style.index for style in STYLES] == list(range(26))
    words = [word for style in STYLES for word in style.words | style.hints]
    assert len(words) == len(set(words))
    assert len({style.name for style in STYLES}) == 26


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a hill as a Mosaic", "dark mosaic"),
        ("style 19", "swirling blue"),
        ("in style #0, please", "warm crayon"),
        ("an old engraving of a mosaic, engraved", "old engraving"),
        ("make it a watercollor", "crimson watercolour"),
        ("impresionist painting of a garden", "violet impressionist"),
        ("a blue lake at night", None),
        ("style 26", None),
        ("", None),
        ("猫", None),
    ],
)
def test_a_style_is_found_by_number_words_and_near_spelling(prompt: str, name: str | None) -> None:
    style = named_style(prompt)
    assert (style and style.name) == name


def test_hints_count_only_where_they_are_asked_for() -> None:
    blue, mosaic = named_style("make it blue", hints=True), named_style("a blue mosaic", hints=True)
    assert blue is not None
    assert mosaic is not None
    assert (blue.name, mosaic.name) == ("swirling blue", "dark mosaic")


@pytest.mark.parametrize(
    ("prompt", "palette", "water", "ruggedness"),
    [
        ("a mountain island", "atlas", 0.65, 1.0),
        ("A flat DESERT", "desert", 0.0, 0.0),
        ("snowy hills by a lake", "winter", 0.15, 0.4),
        ("mars", "Mars", 0.0, 0.7),
        ("volcano", "lava", 0.15, 1.0),
        ("a photograph of a cat", "atlas", 0.25, 0.7),
    ],
)
def test_a_scene_is_read_from_its_words(prompt: str, palette: str, water: float, ruggedness: float) -> None:
    look = read_scene(prompt).look
    assert (look.palette, look.water, look.ruggedness) == (palette, water, ruggedness)
    assert look.palette in PALETTES


def test_a_scene_tells_its_style() -> None:
    assert "in the style 'woodblock print'" in read_scene("islands, woodblock").words
    assert "style" not in read_scene("islands").words
