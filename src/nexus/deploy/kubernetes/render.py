"""All of a cluster's objects: which files there are, what is in each, and the kustomization that lists them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from nexus.deploy.kubernetes.gateway import gateway_objects
from nexus.deploy.kubernetes.ingress import ingress_objects
from nexus.deploy.kubernetes.mesh import mesh_objects
from nexus.deploy.kubernetes.monitoring import monitoring_objects
from nexus.deploy.kubernetes.network import (
    discovery,
    engine_namespace_policies,
    engine_policies,
    engine_service,
    policies,
)
from nexus.deploy.kubernetes.objects import Object, engines, home
from nexus.deploy.kubernetes.readme import readme
from nexus.deploy.kubernetes.scaling import gateway_scaling, service_scaling
from nexus.deploy.kubernetes.security import namespace
from nexus.deploy.kubernetes.storage import claims, copies, volumes_of
from nexus.deploy.kubernetes.stores import postgres_objects, valkey_objects
from nexus.deploy.kubernetes.workloads import engine_deployment, service_account, service_deployment
from nexus.deploy.plan import Plan, Unit
from nexus.deploy.site import SiteError
from nexus.deploy.text import dump, dump_all

COMMAND: Final = "nexus deploy k8s"
KUSTOMIZATION: Final = "kustomization.yaml"
README: Final = "README.md"
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def render(plan: Plan) -> Mapping[str, str]:
    """Text by the name of its file. Raises SiteError where the site does not fit a cluster."""
    files = {name: dump_all(objects, COMMAND) for name, objects in files_of(plan).items()}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(files),
    }
    return {KUSTOMIZATION: dump(kustomization, COMMAND), **files, README: readme(in_cluster(plan))}


def is_rendered(text: str) -> bool:
    """Whether a file's text is of this module's making."""
    return text.startswith(f"# Rendered by `{COMMAND}`")


def files_of(plan: Plan) -> Mapping[str, list[Object]]:
    """The objects by file, in the order in which they are to be made; files without any are left out."""
    plan = in_cluster(plan)
    check_names(plan)
    with_engine = [unit for unit in plan.units if unit.engine]
    files = {
        "namespaces": [
            namespace(plan, home(plan), "restricted"),
            *([namespace(plan, engines(plan), "baseline")] if with_engine else []),
        ],
        "network": [*policies(plan), *(engine_namespace_policies(plan) if with_engine else [])],
        "postgres": postgres_objects(plan),
        "valkey": valkey_objects(plan),
        "gateway": [*gateway_objects(plan), *gateway_scaling(plan)],
        "discovery": [discovery(plan)],
        **{f"service-{unit.folder}": service_objects(plan, unit) for unit in plan.units},
        "ingress": ingress_objects(plan),
        "mesh": mesh_objects(plan),
        "monitoring": monitoring_objects(plan),
    }
    return {f"{name}.yaml": objects for name, objects in files.items() if objects}


def in_cluster(plan: Plan) -> Plan:
    """The plan with the services that this cluster is to run: those without a profile, and those whose profile or name
    is in the site file."""
    wanted = plan.site.site.profiles
    units = [
        unit
        for unit in plan.units
        if unit.profile is None or unit.profile in wanted or unit.folder in plan.site.service
    ]
    return replace(plan, units=tuple(sorted(units, key=lambda unit: unit.folder)))


def service_objects(plan: Plan, unit: Unit) -> list[Object]:
    """All that is a service's, and its engine's."""
    shared = copies(unit) > 1
    found = [
        service_account(plan, unit.folder, "service"),
        *claims(plan, "service", volumes_of(unit), shared, home(plan)),
        service_deployment(plan, unit),
        *service_scaling(plan, unit),
    ]
    engine = unit.engine
    if engine:
        found += [
            service_account(plan, engine.name, "engine", engines(plan)),
            *claims(plan, "engine", engine.volumes, False, engines(plan)),
            engine_deployment(plan, unit, engine),
            engine_service(plan, engine),
            *engine_policies(plan, unit, engine),
        ]
    return found


def check_names(plan: Plan) -> None:
    """Names of objects are narrower than those of folders and of Compose's secrets. Raises SiteError."""
    for unit in plan.units:
        for name in (unit.folder, *([unit.engine.name] if unit.engine else [])):
            if not _LABEL.fullmatch(name):
                raise SiteError(f"service.{name}: a cluster's names have only small letters, digits and hyphens")
    for key, secret in (
        ("postgres.external_secret", plan.site.postgres.external_secret),
        ("valkey.external_secret", plan.site.valkey.external_secret),
    ):
        if secret is not None and not _LABEL.fullmatch(secret):
            raise SiteError(f"{key}: {secret!r} is not the name of a Secret")
