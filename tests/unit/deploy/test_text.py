"""YAML that reads well: what is written is read back, by readers of both versions of YAML."""

from types import MappingProxyType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nexus.deploy.text import dump, dump_all

TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), whitelist_characters="\n\t"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    assert yaml.safe_load(dump(value)) == value


def test_it_keeps_the_order_given_and_says_where_it_comes_from() -> None:
    text = dump({"b": 1, "a": {"d": [1, {"x": 2, "c": 3}], "c": ()}}, "nexus deploy k8s")
    assert text.splitlines()[0].startswith("# Rendered by `nexus deploy k8s`")
    assert text.splitlines()[1:] == ["b: 1", "a:", "  d:", "    - 1", "    - x: 2", "      c: 3", "  c: []"]


def test_nothing_is_written_as_a_reference_to_something_above() -> None:
    shared = {"x": [1]}
    assert "&" not in dump({"a": shared, "b": shared})


def test_lines_stay_lines_and_long_ones_whole() -> None:
    assert dump({"a": "one\ntwo\n"}).endswith("a: |\n  one\n  two\n")
    assert f"a: {'word ' * 80}end\n" in dump({"a": "word " * 80 + "end"})


@pytest.mark.parametrize("text", ["1e3", "12E04", "0o17", "0x1F", "y", "N", "1.", "yes", "null", "1:30", "1_000", ".5"])
def test_a_string_that_some_reader_takes_for_something_else_is_quoted(text: str) -> None:
    assert dump(text).splitlines()[1][0] in "'\""


def test_other_kinds_of_mappings_and_several_documents() -> None:
    text = dump_all([MappingProxyType({"a": 1}), {"b": (2,)}], "x")
    assert list(yaml.safe_load_all(text)) == [{"a": 1}, {"b": [2]}]
    assert text.count("# Rendered") == 1


def test_what_has_no_place_in_yaml_is_refused() -> None:
    with pytest.raises(yaml.YAMLError):
        dump(object())
