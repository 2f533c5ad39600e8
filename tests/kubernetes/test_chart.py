"""The Helm chart makes the same objects of its values as `nexus deploy k8s` does of the site."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nexus.deploy.kubernetes.render import files_of
from nexus.deploy.kubernetes.values import render_values
from tests.kubernetes.sites import SITES, plan_of
from tests.kubernetes.tools import CHART, HELM, needed, run, template

pytestmark = needed
Objects = dict[tuple[str, str, str], Any]


def objects(given: Iterable[Any]) -> Objects:
    """By kind, namespace and name; without Helm's own labels, variables in the order of their names."""
    found: Objects = {}
    for item in given:
        if item is None:
            continue
        plain = json.loads(json.dumps(item))
        for label in ("app.kubernetes.io/managed-by", "helm.sh/chart"):
            plain["metadata"].get("labels", {}).pop(label, None)
        for container in plain.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
            container.get("env", []).sort(key=lambda entry: entry["name"])
        key = (plain["kind"], plain["metadata"].get("namespace", ""), plain["metadata"]["name"])
        assert key not in found, f"twice: {key}"
        found[key] = plain
    return found


@pytest.fixture(params=SITES)
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Objects, Objects]:
    """A site's objects as rendered, and as the chart makes them of the site's values."""
    plan = plan_of(tmp_path, request.param)
    values = tmp_path / "values.yaml"
    values.write_text(render_values(plan))
    charted = template("--values", values, "--set", "createNamespace=true", *_without_default_services())
    rendered = (item for items in files_of(plan).values() for item in items)
    return objects(rendered), objects(yaml.safe_load_all(charted))


def _without_default_services() -> list[str]:
    """Values add to the chart's own: the services of the default site are taken out by a null."""
    own = yaml.safe_load((CHART / "values.yaml").read_text())["services"]
    return [part for name in own for part in ("--set", f"services.{name}=null")]


def test_the_chart_makes_what_is_rendered(both: tuple[Objects, Objects]) -> None:
    rendered, charted = both
    assert sorted(charted) == sorted(rendered)
    for key, wanted in rendered.items():
        assert charted[key] == wanted, key


def test_a_variable_that_names_another_comes_after_it() -> None:
    (gateway,) = [
        item
        for item in yaml.safe_load_all(template())
        if item and (item["kind"], item["metadata"]["name"]) == ("Deployment", "gateway")
    ]
    names = [entry["name"] for entry in gateway["spec"]["template"]["spec"]["containers"][0]["env"]]
    assert names.index("POD_IP") < names.index("NEXUS_ADVERTISED_URL")


@pytest.mark.parametrize("site", SITES)
def test_helm_finds_nothing_to_say_of_it(site: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(render_values(plan_of(tmp_path, site)))
    assert "0 chart(s) failed" in run(HELM, "lint", "--strict", CHART, "--values", values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("gateway.replicas=2", "more than one gateway needs files that all of them reach"),
        ("gateway.env.NEXUS_API_KEY=x", "gateway.env.NEXUS_API_KEY: it is secret"),
        ("gateway.env.NEXUS_FILES_URL=/x", "gateway.env.NEXUS_FILES_URL"),
        ("cluster.mesh=other", "mesh"),
        ("gateway.prot=1", "prot"),
    ],
)
def test_what_cannot_work_is_refused(change: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        template("--set", change)


def test_no_template_names_a_service() -> None:
    names = yaml.safe_load((CHART / "values.yaml").read_text())["services"]
    words = {name: f'"{name}"' for name in names}
    for file in (CHART / "templates").iterdir():
        text = file.read_text()
        assert not [name for name, word in words.items() if word in text or f" {name}\n" in text], file
