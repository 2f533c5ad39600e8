"""What was heard: the text that segments make, and their times on the recording's own clock."""

from nexus.sdk.media.transcripts import Segment, Transcript, Word, Wording, on_the_clock


def test_the_wording_is_the_text_piece_by_piece() -> None:
    said = [Segment(0, 0, 1, text) for text in ("  One", " two. ", "  ", " Three. ")]
    wording = Wording()
    assert [wording.add(segment) for segment in said] == ["One", " two.", "", " Three."]
    assert wording.text == Transcript(tuple(said), "en", 3).text == "One two. Three."


def test_times_are_the_recordings_own_and_go_forward() -> None:
    words = (Word(" a", 0.5, 1.0), Word(" b", 0.9, 1.4), Word(" c", 1.4, 9.0))
    placed = on_the_clock(Segment(100, 0.5, 9.0, " a b c", words=words), 20.0, earliest=20.7, latest=22.0)
    assert (placed.seek, placed.start, placed.end) == (2100, 20.7, 22.0)
    assert [(word.start, word.end) for word in placed.words] == [(20.7, 21.0), (21.0, 21.4), (21.4, 22.0)]
