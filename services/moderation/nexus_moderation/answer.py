"""One input's judgement in OpenAI's categories, of which two are looked at."""

from dataclasses import dataclass
from typing import Final

from nexus.contract.wire.moderations import CATEGORIES, InputType, Moderation

TEXT_CATEGORY: Final = "harassment"
IMAGE_CATEGORY: Final = "sexual"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on a category is flagged."""

    text: float
    image: float


def judgement(text: float | None, image: float | None, thresholds: Thresholds) -> Moderation:
    """The answer for one input; a score is None where the input has no text, or no image."""
    scores = dict.fromkeys(CATEGORIES, 0.0)
    flags = dict.fromkeys(CATEGORIES, False)
    applied: dict[str, tuple[InputType, ...]] = dict.fromkeys(CATEGORIES, ())
    if text is not None:
        scores[TEXT_CATEGORY], flags[TEXT_CATEGORY], applied[TEXT_CATEGORY] = text, text >= thresholds.text, ("text",)
    if image is not None:
        scores[IMAGE_CATEGORY], flags[IMAGE_CATEGORY] = image, image >= thresholds.image
        applied[IMAGE_CATEGORY] = ("image",)
    return Moderation(
        flagged=any(flags.values()), categories=flags, category_scores=scores, category_applied_input_types=applied
    )
