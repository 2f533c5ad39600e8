"""What objects have in common."""

from pathlib import Path

import pytest

from nexus.deploy.kubernetes.objects import cpu, environment, metadata, present, thing
from tests.kubernetes.cluster import all_objects
from tests.kubernetes.sites import SITES, plan_of


@pytest.mark.parametrize(("cores", "text"), [(1, "1"), (0.5, "500m"), (2.25, "2250m"), (16, "16"), (0.0001, "1m")])
def test_processors_are_whole_or_thousandths(cores: float, text: str) -> None:
    assert cpu(cores) == text


def test_what_is_none_is_left_out() -> None:
    assert present(a=None, b=0, c="") == {"b": 0, "c": ""}
    assert thing("v1", "Thing", {"name": "x"}, spec=None) == {
        "apiVersion": "v1",
        "kind": "Thing",
        "metadata": {"name": "x"},
    }


def test_variables_keep_their_order() -> None:
    assert environment({"B": "1", "A": "2"}) == [{"name": "B", "value": "1"}, {"name": "A", "value": "2"}]


def test_objects_are_in_the_sites_namespace_unless_told_otherwise(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"site": {"name": "home"}})
    assert metadata(plan, "a", "service")["namespace"] == "home"
    assert metadata(plan, "a", "service", "b")["namespace"] == "b"


@pytest.mark.parametrize("site", SITES)
def test_no_two_objects_have_the_same_name(site: str, tmp_path: Path) -> None:
    keys = [
        (item["apiVersion"], item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"])
        for item in all_objects(plan_of(tmp_path, site))
    ]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("site", SITES)
def test_every_object_is_in_one_of_the_namespaces_that_are_made(site: str, tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, site))
    made = {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"}
    assert {item["metadata"]["namespace"] for item in objects if item["kind"] != "Namespace"} == made
