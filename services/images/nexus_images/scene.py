"""What a prompt means to a painter that draws nothing but land: its relief, its water, its colours, its style."""

from dataclasses import dataclass
from typing import Final

from nexus_images.cartography import Look
from nexus_images.styles import Style, named_style, words_of

_RUGGEDNESS: Final = (
    ("flat", 0.0, "flat plain plains steppe prairie meadow meadows smooth savanna swamp"),
    ("hilly", 0.4, "hill hills hilly rolling valley valleys forest dunes"),
    (
        "mountainous",
        1.0,
        "mountain mountains mountainous alps alpine peak peaks rugged rocky cliff cliffs canyon volcano crater",
    ),
)
_WATER: Final = (
    ("without water", 0.0, "desert dry arid dune dunes sahara mars martian moon lunar waterless"),
    ("with lakes", 0.15, "lake lakes pond river rivers fjord lava volcano volcanic"),
    ("with a coast", 0.4, "coast coastal beach bay shore shoreline harbour harbor peninsula"),
    ("with islands in the sea", 0.65, "island islands archipelago atoll sea ocean seas"),
)
_PALETTES: Final = (
    ("Mars", "mars martian"),
    ("Moon", "moon lunar asteroid"),
    ("lava", "lava volcano volcanic magma hell"),
    ("winter", "winter snow snowy ice icy arctic antarctic glacier frozen tundra"),
    ("desert", "desert sahara dune dunes sand sandy arid"),
    ("autumn", "autumn fall autumnal"),
)
_USUAL_RUGGEDNESS: Final = ("hilly to mountainous", 0.7)
_USUAL_WATER: Final = ("with some water", 0.25)


@dataclass(frozen=True, slots=True)
class Scene:
    """What will be drawn: the look of the map, the style it is painted over in (or none), and both in words."""

    look: Look
    style: Style | None
    words: str


def read_scene(prompt: str) -> Scene:
    """The scene of a prompt, by the words it is known by; what no word tells is usual."""
    words = set(words_of(prompt))
    relief, ruggedness = _best(_RUGGEDNESS, words) or _USUAL_RUGGEDNESS
    sea, water = _best(_WATER, words) or _USUAL_WATER
    palette = next((name for name, known in _PALETTES if words & set(known.split())), "atlas")
    style = named_style(prompt)
    told = f"{relief}, {sea}, in {palette} colours"
    return Scene(Look(palette, water, ruggedness), style, f"{told}, in the style {style.name!r}" if style else told)


def _best(table: tuple[tuple[str, float, str], ...], words: set[str]) -> tuple[str, float] | None:
    name, value, known = max(table, key=lambda row: len(words & set(row[2].split())))
    return (name, value) if words & set(known.split()) else None
