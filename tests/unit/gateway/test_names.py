import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.gateway.names import content_disposition, is_shown, sane_filename, sane_media_type


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\cat.png", "cat.png"),
        ("/", "file"),
        ("..", "file"),
        (" . ", "file"),
        ("", "file"),
        (None, "file"),
        ("a\r\nset-cookie: x=1.txt", "aset-cookie: x=1.txt"),
        ("nul\x00l\u202egnp.exe", "nullgnp.exe"),
        ("zażółć 猫.txt", "zażółć 猫.txt"),
        ("x" * 500 + ".jsonl", "x" * 194 + ".jsonl"),
        ("猫" * 500, "猫" * 66),
    ],
)
def test_a_name_is_text_and_never_a_path(given: str | None, kept: str) -> None:
    assert sane_filename(given) == kept


@given(st.text(max_size=400))
def test_no_name_breaks_a_header_or_leaves_a_folder(name: str) -> None:
    kept = sane_filename(name)
    assert 0 < len(kept.encode("utf-8", "replace")) <= 200
    assert "/" not in kept
    assert "\\" not in kept
    assert kept not in {".", ".."}
    header = content_disposition(kept, inline=False)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("cat.png", 'inline; filename="cat.png"'),
        ('a"b\\c.png', "inline; filename=\"a_b_c.png\"; filename*=UTF-8''a%22b%5Cc.png"),
        ("猫.png", "inline; filename=\"_.png\"; filename*=UTF-8''%E7%8C%AB.png"),
        ("100%.png", "inline; filename=\"100_.png\"; filename*=UTF-8''100%25.png"),
    ],
)
def test_a_name_goes_into_the_header_once_for_all_and_once_in_full(name: str, header: str) -> None:
    assert content_disposition(name, inline=True) == header


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("text/plain; charset=utf-8", "text/plain"),
        (" Image/PNG ", "image/png"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("text/html\r\nset-cookie: a=b", "application/octet-stream"),
        ("plain", "application/octet-stream"),
        ("", "application/octet-stream"),
        (None, "application/octet-stream"),
    ],
)
def test_a_media_type_is_one_or_is_octets(given: str | None, kept: str) -> None:
    assert sane_media_type(given) == kept


def test_only_what_cannot_run_scripts_is_shown_in_place() -> None:
    for shown in ("image/png", "audio/mpeg", "video/mp4", "application/pdf", "text/plain"):
        assert is_shown(shown)
    for kept in ("text/html", "image/svg+xml", "application/json", "application/octet-stream", "text/xml"):
        assert not is_shown(kept)
