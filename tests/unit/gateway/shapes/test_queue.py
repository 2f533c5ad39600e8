"""`queue` of nexus.yaml."""

import pytest

from nexus.gateway.config import Config, parse_config
from nexus.gateway.shapes.document import ConfigError
from nexus.gateway.values import QueueRules


def test_what_is_not_said_is_the_usual() -> None:
    assert parse_config("queue: {max_seconds: 5}").queue == QueueRules(1000, 5.0)
    assert parse_config("queue: {max_waiting: 0}").queue == QueueRules(0, 30.0)
    assert parse_config("").queue == Config().queue == QueueRules()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queue: {max_wait: 1}", "queue.max_wait: there is no such key; did you mean max_waiting? (line 1)"),
        ("queue: {max_waiting: -1}", "queue.max_waiting: it should be greater than or equal to 0, not -1 (line 1)"),
        ("queue: {max_seconds: 0}", "queue.max_seconds: it should be greater than 0, not 0 (line 1)"),
    ],
)
def test_mistakes_are_told_by_their_keys(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse_config(text)
    assert str(told.value) == said
