"""Text fields in forms: found where they stand, whatever else the form holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.contract.errors import ApiError
from nexus.gateway.intake.multipart import Field, read_fields

TYPE = b"multipart/form-data; boundary=XX"


def part(disposition: bytes, value: bytes, *lines: bytes) -> bytes:
    more = b"".join(line + b"\r\n" for line in lines)
    return b"--XX\r\nContent-Disposition: form-data; " + disposition + b"\r\n" + more + b"\r\n" + value + b"\r\n"


def body_of(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--XX--\r\n"


def model_in(body: bytes, content_type: bytes = TYPE) -> Field | None:
    field = read_fields(content_type, body, (b"model",)).get(b"model")
    if field is not None:
        start, end = field.span
        assert body[start:end].decode("utf-8", "replace") == field.text
    return field


@pytest.mark.parametrize(
    "disposition",
    [b'name="model"', b"name=model", b'name="model"; x=y', b'x="a;name=b"; name="model"', b'name="mod\\el"'],
)
def test_a_field_by_its_name_quoted_or_not(disposition: bytes) -> None:
    found = model_in(body_of(part(b'name="other"', b"m1"), part(disposition, b"m2")))
    assert (found is None) if b"\\" in disposition else (found is not None and found.text == "m2")


@pytest.mark.parametrize(
    "content_type",
    [
        b'multipart/form-data; boundary="XX"',
        b"multipart/form-data;boundary=XX",
        b"Multipart/Form-Data; charset=utf-8; boundary=XX",
        b"multipart/form-data; BOUNDARY=XX",
    ],
)
def test_the_boundary_in_any_spelling(content_type: bytes) -> None:
    found = model_in(body_of(part(b'name="model"', b"m")), content_type)
    assert found is not None
    assert found.text == "m"


def test_a_name_with_quotes_in_it() -> None:
    found = read_fields(TYPE, body_of(part(b'name="a\\"b"', b"v")), (b'a"b',))
    assert found[b'a"b'].text == "v"


def test_of_a_field_that_is_given_twice_the_last_counts() -> None:
    body = body_of(part(b'name="model"', b"first"), part(b'name="model"', b"second"))
    found = model_in(body)
    assert found is not None
    assert found.text == "second"


def test_a_file_that_goes_by_the_name_is_not_the_field() -> None:
    body = body_of(part(b'name="model"', b"m"), part(b'name="model"; filename="m.bin"', b"\x00\x01"))
    found = model_in(body)
    assert found is not None
    assert found.text == "m"


def test_values_may_hold_what_looks_like_a_boundary() -> None:
    for value in (b"a\r\n--X", b"\r\n\r\n", b"--XX", b"a\r\n-", b"a--XX--b", b"\r\r\n--XY"):
        found = model_in(body_of(part(b'name="file"', value), part(b'name="model"', value)))
        assert found is not None
        assert found.text == value.decode()


def test_more_header_lines_in_any_case_and_order_do_not_matter() -> None:
    body = (
        b"--XX\r\nContent-Type: text/plain; charset=utf-8\r\ncontent-disposition: form-data; name=model\r\nX: y\r\n\r\n"
        b"m\xc3\xa9\r\n--XX--\r\n"
    )
    found = model_in(body)
    assert found is not None
    assert found.text == "mé"


def test_bytes_that_are_no_text_are_read_as_such() -> None:
    found = model_in(body_of(part(b'name="model"', b"\xff")))
    assert found is not None
    assert found.text == "\ufffd"


def test_a_huge_field_is_found_whole_and_what_stands_before_it_does_not_matter() -> None:
    huge = b"x\r\n" * 500_000
    found = model_in(body_of(part(b'name="file"; filename="f"', b"\r\n--X" * 100_000), part(b'name="model"', huge)))
    assert found is not None
    assert len(found.text) == len(huge)


def test_only_what_is_wanted_is_told() -> None:
    body = body_of(part(b'name="a"', b"1"), part(b'name="b"', b"2"), part(b"", b"3"), part(b'name=""', b"4"))
    assert set(read_fields(TYPE, body, (b"b", b"c"))) == {b"b"}


def test_a_field_without_a_value_is_there() -> None:
    """An empty name is refused, not taken for none."""
    found = model_in(body_of(part(b'name="model"', b"")))
    assert found is not None
    assert found.text == ""


@pytest.mark.parametrize(
    "content_type",
    [b"", b"multipart/form-data", b"multipart/form-data; boundary=", b'multipart/form-data; boundary=""',
     b"multipart/form-data; bound=XX", b"multipart/form-data; boundary=" + b"x" * 10_000],
    ids=["nothing", "no-options", "empty", "empty-quotes", "another", "long"],
)  # fmt: skip
def test_a_missing_or_absurd_boundary_is_400(content_type: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        read_fields(content_type, b"", (b"model",))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"garbage",
        b"--YY\r\n\r\n",
        b"--XX\r\nno colon\r\n\r\n",
        body_of(part(b'name="model"', b"m", *(b"a: b" for _ in range(1000)))),
        body_of(part(b'name="model"', b"m", b"a: " + b"b" * 100_000)),
    ],
    ids=["garbage", "another-boundary", "no-colon", "many-lines", "long-line"],
)
def test_a_body_that_is_no_form_is_400(body: bytes) -> None:
    with pytest.raises(ApiError, match="not valid multipart/form-data") as caught:
        read_fields(TYPE, body, (b"model",))
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"--XX", b"--XX--", part(b'name="model"', b"m"), b"--XX\r\ncontent-disp"])
def test_what_did_not_come_whole_is_no_field(body: bytes) -> None:
    assert model_in(body) is None


TOKENS = st.sampled_from([b"--XX", b"--", b"\r\n", b"\r", b"\n", b"content-disposition: form-data; ", b"name=", b'"',
                          b"model", b":", b";", b"\\", b"\xff", b"\0", b"filename*=", b" "])  # fmt: skip


@given(
    body=st.binary(max_size=200) | st.lists(TOKENS, max_size=40).map(b"".join),
    content_type=st.just(TYPE) | st.binary(max_size=300).map(lambda tail: b"multipart/form-data; boundary=" + tail),
)
def test_whatever_comes_is_read_or_refused(body: bytes, content_type: bytes) -> None:
    try:
        for field in read_fields(content_type, body, (b"model", b"")).values():
            assert isinstance(field.text, str)
    except ApiError as error:
        assert error.status == 400  # noqa: PT017 - either outcome is right


@given(value=st.binary(max_size=100), before=st.binary(max_size=100))
def test_every_field_is_found_where_it_stands(value: bytes, before: bytes) -> None:
    boundary = b"long-and-unlikely-boundary"
    body = b"".join(
        b'--%b\r\ncontent-disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (boundary, name, content)
        for name, content in ((b"file", before), (b"model", value))
    )
    body += b"--%b--\r\n" % boundary
    field = read_fields(b"multipart/form-data; boundary=" + boundary, body, (b"model",))[b"model"]
    start, end = field.span
    assert body[start:end] == value
