"""Where in the file a key stands."""

import pytest

from nexus.gateway.shapes.document import ConfigError, line_of, read_document

TEXT = """# a comment
a:
  b: {c: 1,
      d: 2}
  e:
    - x
    - f: 3
5: y
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("a",), 2),
        (("a", "b"), 3),
        (("a", "b", "d"), 4),
        (("a", "e", "0"), 6),
        (("a", "e", "1", "f"), 7),
        (("a", "b", "missing"), 3),
        (("a", "e", "9"), 5),
        (("a", "e", "x"), 5),
        (("5",), 8),
        (("5", "deeper"), 8),
    ],
)
def test_lines_count_from_one_and_a_missing_key_is_at_what_should_have_it(path: tuple[str, ...], line: int) -> None:
    assert line_of(TEXT, path) == line


def test_a_key_that_is_written_twice_is_told_by_its_line() -> None:
    with pytest.raises(ConfigError, match=r"b: it is given twice \(line 3\)"):
        read_document("a: 1\nb: 2\nb: 3\n")
