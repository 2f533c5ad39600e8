"""Copies: one each, used again, and not after an error."""

from contextlib import closing, suppress

from nexus_pocket_tts.copies import Copies


def numbered() -> Copies[int]:
    return Copies(iter(range(100)).__next__)


def test_who_comes_at_once_has_a_copy_of_his_own_and_who_comes_later_the_same() -> None:
    copies = numbered()
    with copies.borrowed() as one, copies.borrowed() as other:
        assert {one, other} == {0, 1}
    with copies.borrowed() as again:
        assert again in (0, 1)


def test_what_an_error_came_out_of_is_not_used_again() -> None:
    copies = numbered()
    with suppress(RuntimeError), copies.borrowed():
        raise RuntimeError
    with copies.borrowed() as next_one:
        assert next_one == 1


def test_a_stream_that_is_closed_gives_its_copy_back() -> None:
    copies = numbered()

    def stream():  # type: ignore[no-untyped-def]
        with copies.borrowed() as one:
            yield one

    for _ in range(3):
        with closing(stream()) as items:
            assert next(items) == 0
