"""The command line of a run."""

import pytest

from bench.options import read_arguments


def test_the_full_run_soaks_and_the_quick_one_does_not() -> None:
    assert read_arguments([]).soak == 200_000
    quick = read_arguments(["--quick", "--only", "nginx", "nexus"])
    assert (quick.soak, quick.seconds, quick.only) == (0, 2, ("nginx", "nexus"))
    assert read_arguments(["--quick", "--soak", "500", "--seconds", "1"]).soak == 500


def test_a_wrong_word_ends_with_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(["--fast"])
    assert "--quick" in capsys.readouterr().err
