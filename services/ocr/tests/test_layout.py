"""Reading order, paragraphs and headings, from boxes alone."""

from nexus_ocr.columns import in_columns
from nexus_ocr.layout import Block, arranged, markdown
from nexus_ocr.lines import Box, Line


def line(text: str, left: float, top: float, width: float = 400, height: float = 20) -> Line:
    return Line(text, Box(left, top, left + width, top + height), (1.0,) * len(text))


def column(prefix: str, left: float, count: int, top: float = 100, pitch: float = 30) -> list[Line]:
    return [line(f"{prefix}{number}", left, top + number * pitch) for number in range(count)]


def read(lines: list[Line]) -> str:
    return markdown(arranged(lines))


def blocks(lines: list[Line]) -> tuple[Block, ...]:
    return arranged(lines)


def test_nothing() -> None:
    assert read([]) == ""


def test_rows_are_read_across_and_down_whatever_order_they_were_found_in() -> None:
    lines = [line("d", 300, 131, 50), line("a", 10, 100, 50), line("c", 10, 130, 50), line("b", 300, 102, 50)]
    assert read(lines) == "a b\nc d"


def test_a_wider_gap_makes_a_paragraph() -> None:
    lines = [*column("a", 10, 3), *column("b", 10, 2, top=230)]
    assert read(lines) == "a0\na1\na2\n\nb0\nb1"


def test_double_spacing_is_still_one_paragraph() -> None:
    assert read(column("a", 10, 4, pitch=40)) == "a0\na1\na2\na3"


def test_two_rows_far_apart_are_two_paragraphs() -> None:
    assert read(column("a", 10, 2, pitch=200)) == "a0\n\na1"


def test_columns_of_running_text_are_read_one_after_the_other() -> None:
    lines = [line("head", 10, 20, 900), *column("l", 10, 4), *column("r", 500, 4), line("foot", 10, 400, 900)]
    assert read(lines) == "head\n\nl0\nl1\nl2\nl3\n\nr0\nr1\nr2\nr3\n\nfoot"


def test_three_columns() -> None:
    lines = [*column("r", 900, 3), *column("l", 10, 3), *column("m", 455, 3)]
    assert [[one.text[0] for one in group] for group in in_columns(lines)] == [["l"] * 3, ["m"] * 3, ["r"] * 3]


def test_a_form_is_read_across() -> None:
    labels = [line(text, 10, 100 + row * 30, 80) for row, text in enumerate(["Name:", "Age:", "City:", "Job:"])]
    values = [line(text, 300, 100 + row * 30, 100) for row, text in enumerate(["Ada", "36", "London", "Analyst"])]
    assert read([*labels, *values]) == "Name: Ada\nAge: 36\nCity: London\nJob: Analyst"


def test_a_receipt_is_read_across() -> None:
    items = column("item", 10, 5)
    prices = [line(f"{number}.00", 500, 100 + number * 30, 40) for number in range(5)]
    assert read([*items, *prices]).splitlines()[1] == "item1 1.00"


def test_much_larger_text_is_a_heading() -> None:
    lines = [line("Big", 10, 10, height=45), line("Mid", 10, 90, height=32), *column("text", 10, 5, top=150)]
    assert read(lines).splitlines()[:3] == ["# Big", "", "## Mid"]
    assert [block.level for block in blocks(lines)] == [1, 2, 0]


def test_a_headings_rows_become_one_line() -> None:
    lines = [line("Big", 10, 10, height=45), line("News", 10, 60, height=45), *column("text", 10, 5, top=150)]
    assert read(lines).startswith("# Big News\n\ntext0\n")


def test_without_running_text_nothing_is_a_heading() -> None:
    assert read([line("Big", 10, 10, height=45), line("small", 10, 90)]) == "Big\n\nsmall"


def test_much_large_text_is_no_heading() -> None:
    lines = [line("large" * 10, 10, 10 + 60 * n, height=45) for n in range(5)]
    lines += [line("much small text " * 30, 10, 500 + 25 * n) for n in range(5)]
    assert "#" not in read(lines)


def test_a_block_has_the_box_of_its_lines() -> None:
    (block,) = blocks([line("a", 10, 100, 50), line("b", 5, 130, 200)])
    assert (block.box.left, block.box.top, block.box.right, block.box.bottom) == (5, 100, 205, 150)
