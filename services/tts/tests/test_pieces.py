"""Where speech is cut: the first piece short, later ones longer, at clauses before words, and nothing lost."""

from nexus_tts.pieces import Piece, cut


def texts(pieces: tuple[Piece, ...]) -> list[str]:
    return ["".join(piece.phonemes) for piece in pieces]


def words(count: int) -> str:
    return " ".join(f"word{'abcdefghij'[number % 10]}" for number in range(count))


def test_a_short_sentence_is_one_piece() -> None:
    assert texts(cut(["hello world."], 1)) == ["hello world."]


def test_each_sentence_ends_a_piece_and_none_runs_on_from_there() -> None:
    pieces = cut(["one.", "two!", "three"], 1)
    assert texts(pieces) == ["one.", "two!", "three"]
    assert not any(piece.runs_on for piece in pieces)


def test_a_long_sentence_begins_with_a_short_piece_and_keeps_every_word() -> None:
    text = words(60)
    pieces = cut([text], 1)
    assert " ".join(texts(pieces)) == text
    lengths = [len(piece.phonemes) for piece in pieces]
    assert lengths[0] <= 45 < min(lengths[1:-1])
    assert max(lengths) <= 125
    assert [piece.runs_on for piece in pieces] == [True] * (len(pieces) - 1) + [False]


def test_clauses_are_preferred_to_words() -> None:
    text = words(5) + ", " + words(40)
    first, second = cut([text], 1)[:2]
    assert "".join(first.phonemes) == words(5) + ","
    assert not first.runs_on
    assert second.runs_on


def test_no_scrap_is_left_behind() -> None:
    text = words(9)  # 53 phonemes: a little over the first limit
    assert texts(cut([text], 1)) == [text]


def test_what_has_no_words_is_cut_all_the_same() -> None:
    pieces = cut(["a" * 1000], 1)
    assert "".join(texts(pieces)) == "a" * 1000
    assert max(len(piece.phonemes) for piece in pieces) <= 125


def test_slow_speech_is_cut_shorter_but_not_to_bits() -> None:
    normal, slow, fast = (cut([words(60)], speed) for speed in (1, 0.25, 4))
    assert len(slow) > len(normal) == len(fast)
    assert min(len(piece.phonemes) for piece in slow[:-1]) > 12


def test_what_does_not_sound_is_left_out() -> None:
    assert cut([], 1) == ()
    assert cut([".", "", "   ", "?!"], 1) == ()
    assert texts(cut(["...", " a "], 1)) == ["a"]
