"""The keys of upstreams: read where the entry says they are, and never told."""

from collections.abc import Mapping
from typing import Final

from nexus_openai_compatible.described import Options

_HIDDEN: Final = "***"


def read_key(options: Options, environ: Mapping[str, str]) -> str | None:
    """The key, None where the upstream wants none. Raises ValueError, with where it is missing."""
    if options.key_env:
        key = environ.get(options.key_env, "").strip()
        if not key:
            raise ValueError(f"options.key_env: the variable {options.key_env} is not set")
    elif options.key_file:
        try:
            key = options.key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"options.key_file: {str(options.key_file)!r} cannot be read") from error
        if not key:
            raise ValueError(f"options.key_file: {str(options.key_file)!r} is empty")
    else:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the key is not one line of printable characters without blanks")
    return key


def without(text: str, key: str | None) -> str:
    """The text with the key, should an upstream have repeated it, taken out."""
    return text.replace(key, _HIDDEN) if key else text
