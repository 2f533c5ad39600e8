"""From what is asked to what is to be painted: one order for each picture wanted."""

from typing import Final

from nexus.sdk.media.picture_fitting import fitted
from nexus.sdk.media.picture_requests import PicturesAsked
from nexus_images.painter import Order

LARGEST: Final = 2048


def orders(asked: PicturesAsked, native: int) -> tuple[Order, ...]:
    """The orders; `native` is the painter's own size in pixels."""
    width, height = size = asked.size or (native, native)
    base = fitted(asked.images[0], size) if asked.images else None
    mask = None if asked.mask is None else fitted(asked.mask, size)
    return tuple(
        Order(
            prompt=asked.prompt,
            width=width,
            height=height,
            seed=seed,
            base=base,
            mask=mask,
            references=asked.images[1:],
            negative_prompt=asked.negative_prompt,
            steps=asked.steps,
            guidance_scale=asked.guidance_scale,
            strength=asked.strength,
            previews=asked.previews,
            varied=asked.kind == "variation",
        )
        for seed in asked.seeds
    )
