"""Masks as ComfyUI's nodes take them: in the alpha of a picture, or as a picture of their own."""

from typing import Final

from PIL import Image, ImageOps

from nexus.sdk.media.picture_files import png

LARGEST: Final = 4096


def masked_png(picture: Image.Image, change: Image.Image) -> bytes:
    """A PNG of the picture, transparent where it may change; `change` is white there."""
    picture = picture.convert("RGB")
    picture.putalpha(ImageOps.invert(change))
    return png(picture)


def mask_png(change: Image.Image) -> bytes:
    """A mask that a node may read by any channel: the colours white where the picture may change, the alpha 0 there."""
    return masked_png(change.convert("RGB"), change)
