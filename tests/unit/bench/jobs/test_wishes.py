"""The jobs and their inputs."""

import base64

from bench.jobs.wishes import KINDS, document, kinds


def test_one_of_each_kind_and_the_long_ones_are_longer() -> None:
    long, short = kinds(b"sound", b"pages"), kinds(b"sound", b"pages", short=True)
    assert tuple(wish.kind for wish in long) == tuple(wish.kind for wish in short) == KINDS
    assert long[0].json is not None
    assert short[0].json is not None
    assert (long[0].json["duration"], short[0].json["duration"]) == (300, 3)
    assert long[3].files["file"][1] == b"sound"


def test_a_document_has_its_pages_and_travels_in_a_data_url() -> None:
    pages = document(2)
    assert pages.startswith(b"%PDF-")
    assert pages.count(b"/Type /Page\n") + pages.count(b"/Type /Page ") + pages.count(b"/Type /Page/") == 2
    read = kinds(b"", pages)[2].json
    assert read is not None
    assert base64.b64decode(read["document"]["document_url"].partition(",")[2]) == pages
