"""The command line of a run."""

import pytest

from bench.jobs.__main__ import read_arguments


def test_everything_is_measured_unless_told_otherwise() -> None:
    assert read_arguments([]).only is None
    options = read_arguments(["--only", "embedded", "--kinds", "music", "ocr", "--rounds", "2"])
    assert (options.only, options.kinds, options.rounds) == ("embedded", ["music", "ocr"], 2)


def test_a_wrong_word_ends_with_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(["--kinds", "dance"])
    assert "transcription" in capsys.readouterr().err
