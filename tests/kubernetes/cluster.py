"""Objects as a cluster would take them: pods with their labels, and who may reach whom by the NetworkPolicies.

The rules are those of the NetworkPolicy API: a pod that no policy selects for a direction is open in it; one that some
do is open to what any of these lets through. Both ends have to agree.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus.deploy.kubernetes.render import files_of
from nexus.deploy.plan import Plan

WORKLOADS: Final = ("Deployment", "StatefulSet")


@dataclass(frozen=True)
class Pod:
    """A pod, or a peer outside the cluster where it has an `address` alone."""

    name: str
    namespace: str = ""
    labels: Mapping[str, str] | None = None
    address: str = ""


def all_objects(plan: Plan) -> list[dict[str, Any]]:
    """Every object of every file."""
    return [item for items in files_of(plan).values() for item in items]


def find(objects: Iterable[dict[str, Any]], kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    """The one object of that kind and name."""
    (found,) = [
        item
        for item in objects
        if (item["kind"], item["metadata"]["name"]) == (kind, name)
        and namespace in (None, item["metadata"].get("namespace"))
    ]
    return found


def workloads(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Deployments and StatefulSets."""
    return [item for item in objects if item["kind"] in WORKLOADS]


def pod_spec(workload: Mapping[str, Any]) -> dict[str, Any]:
    """The pod of a workload."""
    return workload["spec"]["template"]["spec"]


def containers(objects: Iterable[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every container, by its workload's name."""
    for workload in workloads(objects):
        for container in pod_spec(workload)["containers"]:
            yield workload["metadata"]["name"], container


class Network:
    """Who may reach whom. `labels` are those of namespaces beside their names."""

    def __init__(self, objects: list[dict[str, Any]], labels: Mapping[str, Mapping[str, str]]) -> None:
        self._policies = [item for item in objects if item["kind"] == "NetworkPolicy"]
        self._namespaces = labels
        self.pods = {
            item["metadata"]["name"]: Pod(
                item["metadata"]["name"], item["metadata"]["namespace"], item["spec"]["template"]["metadata"]["labels"]
            )
            for item in workloads(objects)
        }

    def allows(self, source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
        """Whether both ends let it through."""
        return self._passes(source, target, port, protocol, "Egress", "to") and self._passes(
            target, source, port, protocol, "Ingress", "from"
        )

    def _passes(self, pod: Pod, peer: Pod, port: int, protocol: str, direction: str, word: str) -> bool:
        if pod.address:
            return True
        mine = [
            policy["spec"]
            for policy in self._policies
            if policy["metadata"]["namespace"] == pod.namespace
            and direction in policy["spec"]["policyTypes"]
            and _matches(policy["spec"]["podSelector"], pod.labels or {})
        ]
        rules = [rule for spec in mine for rule in spec.get(direction.lower(), [])]
        return not mine or any(
            self._lets(rule.get(word), pod, peer) and _has_port(rule.get("ports"), port, protocol) for rule in rules
        )

    def _lets(self, peers: list[dict[str, Any]] | None, pod: Pod, peer: Pod) -> bool:
        return peers is None or any(self._is(one, pod, peer) for one in peers)

    def _is(self, selector: dict[str, Any], pod: Pod, peer: Pod) -> bool:
        if "ipBlock" in selector:
            block = selector["ipBlock"]
            return bool(peer.address) and _within(peer.address, block["cidr"], block.get("except", []))
        if peer.address:
            return False
        if "namespaceSelector" in selector:
            labels = {"kubernetes.io/metadata.name": peer.namespace, **self._namespaces.get(peer.namespace, {})}
            if not _matches(selector["namespaceSelector"], labels):
                return False
        elif peer.namespace != pod.namespace:
            return False
        return _matches(selector.get("podSelector", {}), peer.labels or {})


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= labels.items()


def _has_port(ports: list[dict[str, Any]] | None, port: int, protocol: str) -> bool:
    return ports is None or any((one["port"], one["protocol"]) == (port, protocol) for one in ports)


def _within(address: str, cidr: str, excluded: list[str]) -> bool:
    ip = ipaddress.ip_address(address)
    return ip in ipaddress.ip_network(cidr) and not any(ip in ipaddress.ip_network(one) for one in excluded)
