"""The languages that Whisper knows: the codes of its tokens, and the names that OpenAI's answers give them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, ApiError

_TABLE: Final = """
af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian, bg bulgarian, bn bengali,
bo tibetan, br breton, bs bosnian, ca catalan, cs czech, cy welsh, da danish, de german, el greek, en english,
es spanish, et estonian, eu basque, fa persian, fi finnish, fo faroese, fr french, gl galician, gu gujarati, ha hausa,
haw hawaiian, he hebrew, hi hindi, hr croatian, ht haitian creole, hu hungarian, hy armenian, id indonesian,
is icelandic, it italian, ja japanese, jw javanese, ka georgian, kk kazakh, km khmer, kn kannada, ko korean, la latin,
lb luxembourgish, ln lingala, lo lao, lt lithuanian, lv latvian, mg malagasy, mi maori, mk macedonian, ml malayalam,
mn mongolian, mr marathi, ms malay, mt maltese, my myanmar, ne nepali, nl dutch, nn nynorsk, no norwegian, oc occitan,
pa punjabi, pl polish, ps pashto, pt portuguese, ro romanian, ru russian, sa sanskrit, sd sindhi, si sinhala,
sk slovak, sl slovenian, sn shona, so somali, sq albanian, sr serbian, su sundanese, sv swedish, sw swahili, ta tamil,
te telugu, tg tajik, th thai, tk turkmen, tl tagalog, tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek,
vi vietnamese, yi yiddish, yo yoruba, yue cantonese, zh chinese
"""
_ISO: Final = {"jv": "jw"}  # Whisper's code for Javanese is one that ISO has withdrawn

NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {code: name for code, _, name in (entry.strip().partition(" ") for entry in _TABLE.replace("\n", " ").split(","))}
)


CODES: Final[Mapping[str, str]] = MappingProxyType({name: code for code, name in NAMES.items()})


def whisper_code(language: str) -> str | None:
    """Whisper's code for an ISO-639-1 code, or None for a language it does not know."""
    code = _ISO.get(language, language)
    return code if code in NAMES else None


def asked_language(language: str | None) -> str | None:
    """Whisper's code for the language that a caller names, None for none. Raises ApiError (400)."""
    if language is None:
        return None
    code = whisper_code(language)
    if code is None:
        raise ApiError(
            INVALID_REQUEST, f"language: {language!r} is not an ISO-639-1 code of a known language", param="language"
        )
    return code
