"""`hedging` of nexus.yaml."""

import pytest

from nexus.gateway.config import Config, parse_config
from nexus.gateway.shapes.document import ConfigError
from nexus.gateway.values import Hedge


def test_seconds_or_a_percentile() -> None:
    hedging = parse_config("hedging: {embeddings: p95, rerank: 0.2, moderations: 1}").rules.hedging
    assert hedging == {"embeddings": Hedge(share=0.95), "rerank": Hedge(0.2), "moderations": Hedge(1.0)}
    assert parse_config("hedging: {rerank: p50}").rules.hedging == {"rerank": Hedge(share=0.5)}
    assert parse_config("hedging: {}").rules.hedging == Config().rules.hedging == {}


@pytest.mark.parametrize(
    "wrong", ["0", "-1", "p100", "p49", "P95", "95", "p95.5", "true", "null", "[p95]", "4000", ".nan"]
)
def test_what_is_neither_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse_config(f"hedging:\n  embeddings: {wrong}")
    start = "hedging.embeddings: it should be seconds up to 60, or a percentile of what calls take, p50 to p99, not "
    assert str(told.value).startswith(start)
    assert str(told.value).endswith(" (line 2)")


def test_only_small_operations_that_may_be_repeated_are_hedged() -> None:
    with pytest.raises(ConfigError) as told:
        parse_config("hedging: {chat.completions: p95}")
    assert str(told.value) == (
        "hedging.chat.completions: there is no such key among embeddings, rerank, moderations (line 1)"
    )
