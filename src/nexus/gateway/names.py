"""Names of files as clients give them and as they go into headers: text for people, never a path. Pure."""

import re
import unicodedata
from typing import Final
from urllib.parse import quote

_LONGEST: Final = 200  # bytes of UTF-8
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_SHOWN: Final = ("image/", "audio/", "video/")
_OCTETS: Final = "application/octet-stream"


def sane_filename(name: str | None, default: str = "file") -> str:
    """The last part of what a client calls its file, without anything that is not a visible character or a space."""
    last = re.split(r"[/\\]", name or "")[-1]
    visible = "".join(one for one in last if unicodedata.category(one)[0] != "C").strip()
    return _shortened(visible) if visible.strip(". ") else default


def sane_media_type(value: str | None) -> str:
    """A media type without its parameters; `application/octet-stream` for what is none."""
    bare = (value or "").partition(";")[0].strip().lower()
    return bare if _MEDIA_TYPE.fullmatch(bare) else _OCTETS


def is_shown(media_type: str) -> bool:
    """Whether a browser may show it in place: it cannot run scripts, as HTML and SVG can."""
    if media_type == "image/svg+xml":
        return False
    return media_type in {"application/pdf", "text/plain"} or media_type.startswith(_SHOWN)


def content_disposition(filename: str, *, inline: bool) -> str:
    """The header's value (RFC 6266): once for all, and once in full where the name is not plain ASCII."""
    kind = "inline" if inline else "attachment"
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", filename)
    if plain == filename:
        return f'{kind}; filename="{plain}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _shortened(name: str) -> str:
    """At most so many bytes, the ending kept."""
    raw = name.encode("utf-8", "replace")
    if len(raw) <= _LONGEST:
        return raw.decode()
    stem, dot, ending = name.rpartition(".")
    tail = f".{ending}" if dot and len(ending.encode("utf-8", "replace")) <= 16 else ""
    room = _LONGEST - len(tail.encode("utf-8", "replace"))
    return (stem if tail else name).encode("utf-8", "replace")[:room].decode("utf-8", "ignore") + tail
