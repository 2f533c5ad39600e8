"""What objects have in common: names, labels, where they are, and how amounts are written."""

from collections.abc import Mapping
from typing import Any, Final

from nexus.deploy.plan import Plan

Object = dict[str, Any]

KEYS: Final = "nexus-keys"
"""The Secret with the administrator's token, the stores' passwords and their addresses; never rendered."""

DISCOVERY: Final = "nexus-service"
SERVICE_LABEL: Final = "nexus.dev/service"
USES_LABEL: Final = "nexus.dev/uses-gateway"
EGRESS_LABEL: Final = "nexus.dev/egress"
SCRAPES_LABEL: Final = "nexus.dev/scrapes"
NAME_LABEL: Final = "app.kubernetes.io/name"
PART_LABEL: Final = "app.kubernetes.io/part-of"
COMPONENT_LABEL: Final = "app.kubernetes.io/component"


def home(plan: Plan) -> str:
    """The namespace of everything but engines."""
    return plan.site.site.name


def engines(plan: Plan) -> str:
    """The namespace of the engines' own images, whose makers may have them start as root."""
    return f"{home(plan)}-engines"


def selecting(plan: Plan, name: str) -> dict[str, str]:
    """The labels by which the pods of one workload are found; they never change, as a Deployment's may not."""
    return {NAME_LABEL: name, PART_LABEL: plan.site.site.name}


def thing(api: str, kind: str, metadata: Object, **rest: Any) -> Object:
    """An object; what is None is left out."""
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **present(**rest)}


def metadata(plan: Plan, name: str, component: str, namespace: str | None = None) -> Object:
    """The metadata of an object that belongs to the workload or part `name`."""
    return {
        "name": name,
        "namespace": namespace or home(plan),
        "labels": {**selecting(plan, name), COMPONENT_LABEL: component},
    }


def present(**values: Any) -> Object:
    """The values that are not None: optional keys of an object."""
    return {key: value for key, value in values.items() if value is not None}


def environment(values: Mapping[str, str]) -> list[Object]:
    """Variables as a container has them."""
    return [{"name": name, "value": value} for name, value in values.items()]


def cpu(cores: float) -> str:
    """Processors as a quantity: whole ones as such, parts in thousandths."""
    milli = max(1, round(cores * 1000))
    return f"{milli}m" if milli % 1000 else str(milli // 1000)
