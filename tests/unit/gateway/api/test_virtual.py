"""Names that rules make up, as they are listed."""

from nexus.gateway.api.catalogue import Entry, catalogue
from nexus.gateway.api.virtual import with_virtual
from nexus.gateway.config import parse_config
from nexus.gateway.registry.index import build
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer
from tests.servers.calls import make_instance
from tests.servers.cards import model

ENTRIES = catalogue(
    build(
        [
            make_instance("one", models=("small", model("cold", state="unloaded"))),
            make_instance("two", operations=("embeddings",), models=("embed",)),
        ],
        {"nick": "small"},
    ),
    {"nick": "small"},
)


def listed(rule: str, bearer: Bearer | None = None) -> dict[str, Entry]:
    rules = parse_config(f"routes: [{rule}]").routes
    return {
        name: entry
        for name, entry in with_virtual(ENTRIES, rules, bearer or Bearer("ada")).items()
        if name not in ENTRIES
    }


def test_a_name_that_leads_to_one_model_is_an_alias_of_it() -> None:
    for target in ("small", "nick"):
        (entry,) = listed(f"{{when: {{model: chat}}, use: {{model: {target}}}}}").values()
        assert (entry.id, entry.alias_of, entry.state, entry.services) == ("chat", "small", "ready", ("one",))


def test_a_name_for_several_does_what_any_does() -> None:
    (entry,) = listed("{when: {model: all}, split: {cold: 1, embed: 1, gone: 5}}").values()
    assert (entry.id, entry.alias_of, entry.state, entry.model.id) == ("all", None, "ready", "all")
    assert (entry.operations, entry.services) == (("chat.completions", "embeddings"), ("one", "two"))


def test_patterns_denials_and_what_leads_nowhere_are_no_names() -> None:
    assert not listed('{when: {model: ["ch*", "c?"]}, use: {model: small}}')
    assert not listed("{when: {model: chat}, deny: x}")
    assert not listed("{when: {model: chat}, use: {service: one}}")
    assert not listed("{when: {model: chat}, use: {model: gone}}")
    assert not listed("{when: {model: small}, use: {model: cold}}")
    assert not listed("{use: {model: small}}")


def test_a_name_is_for_those_whom_the_rule_means() -> None:
    rule = "{when: {model: chat, policy: kids, token: a*}, use: {model: small}}"
    assert list(listed(rule, Bearer("ada", Policy("kids")))) == ["chat"]
    assert not listed(rule, Bearer("bob", Policy("kids")))
    assert not listed(rule, Bearer("ada", Policy("adults")))
    assert not listed(rule)
