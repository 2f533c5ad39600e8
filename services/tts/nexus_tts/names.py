"""Which voice speaks: the model's own, one of its speakers, or OpenAI's names, which the model's own voice takes."""

from collections.abc import Mapping

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.sdk.media.speech import OPENAI_VOICES


def chosen_speaker(name: str | None, own: str, speakers: Mapping[str, int]) -> int | None:
    """The number of the speaker called `name`, or None for the model's own voice.

    `own` is that voice's name, `speakers` those of a model with several. Raises ApiError (400) for a name unheard of.
    """
    if name in speakers:
        return speakers[name]
    if name is None or name == own or name in OPENAI_VOICES:
        return None
    known = ", ".join((own, *speakers))
    raise ApiError(
        INVALID_REQUEST,
        f"there is no voice {name[:64]!r} here: the model has {known} (and speaks with {own} for OpenAI's names)",
        param="voice",
    )
