"""The wish for a job is taken out of a body, and nothing else of it changes."""

import json

import pytest

from nexus.gateway.intake.multipart import read_fields
from nexus.gateway.intake.wish import without_wish_form, without_wish_json

TYPE = b"multipart/form-data; boundary=xx"


def test_json_keeps_its_other_fields_as_they_were_written() -> None:
    body = b'{"prompt": "\xc3\xa4", "background": true, "size": 1.50, "background ": 1}'
    assert without_wish_json(body) == b'{"prompt":"\xc3\xa4","size":1.50,"background ":1}'


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_form_keeps_its_other_parts_byte_for_byte(place: int) -> None:
    parts = [
        b'--xx\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na\r\n',
        b'--xx\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n\r\n--x true\r\n\r\n',
    ]
    wish = b'--xx\r\nContent-Disposition: form-data; name="background"\r\n\r\ntrue\r\n'
    body = b"".join([*parts[:place], wish, *parts[place:]]) + b"--xx--\r\n"
    span = read_fields(TYPE, body, (b"background",))[b"background"].span
    assert without_wish_form(TYPE, body, span) == b"".join(parts) + b"--xx--\r\n"
    assert json.loads(without_wish_json(b'{"background": true}')) == {}
