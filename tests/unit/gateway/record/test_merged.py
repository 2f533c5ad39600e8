"""Metrics of several workers as one text that Prometheus can read."""

from prometheus_client.parser import text_string_to_metric_families

from nexus.gateway.record.merged import merged

ONE = b"""# HELP a_total How often.
# TYPE a_total counter
a_total{path="/{x}",status="200"} 1.0
# HELP b Now.
# TYPE b gauge
b 7.0
"""
TWO = b"""# HELP a_total How often.
# TYPE a_total counter
a_total{path="/{x}",status="200"} 2.0
a_total{path="say \\"}\\" ",status="500"} 3.0
# HELP c Only here.
# TYPE c gauge
c{} 1.5
"""


def test_each_series_is_told_apart_and_each_family_described_once() -> None:
    text = merged({2: TWO, 1: ONE}).decode()
    assert text.count("# TYPE a_total counter") == 1
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {name: len(family.samples) for name, family in families.items()} == {"a": 3, "b": 1, "c": 1}
    values = {(sample.labels["worker"], sample.labels["path"]): sample.value for sample in families["a"].samples}
    assert values == {("1", "/{x}"): 1, ("2", "/{x}"): 2, ("2", 'say "}" '): 3}
    assert families["b"].samples[0].labels == {"worker": "1"}
    assert families["c"].documentation == "Only here."


def test_nobody_says_nothing() -> None:
    assert merged({}) == b""
    assert merged({1: b""}) == b""
