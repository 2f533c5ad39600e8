"""The gateway's port, the gateway that may run there already, and the ports chosen for services."""

from typing import Any, Final

from nexus.stack.doctor.http import Answer, get
from nexus.stack.doctor.running import stack_runs
from nexus.stack.doctor.values import Finding, Host, ok, problem, warning
from nexus.stack.ports import holder_of, is_free
from nexus.stack.probe import Endpoint

_LOOPBACK: Final = "127.0.0.1"
_EVERYWHERE: Final = {"0.0.0.0": _LOOPBACK, "::": "::1"}


def gateway(host: Host) -> list[Finding]:
    """Whether the gateway's port is free, or the gateway that has it is well."""
    settings = host.settings
    if settings is None:
        return []
    if settings.port == 0:
        return [ok("the gateway takes any free port")]
    if is_free(settings.host, settings.port):
        return [ok(f"port {settings.port} on {settings.host} is free; no gateway runs there")]
    place = Endpoint(_EVERYWHERE.get(settings.host, settings.host), settings.port)
    url = f"{'https' if settings.tls_cert else 'http'}://{place.authority}"
    health = get(f"{url}/health")
    if isinstance(health, str) or not _is_ours(health):
        return [_taken(settings.host, settings.port, health)]
    return [ok(f"a gateway answers at {url}"), *judge_services(get(f"{url}/v1/services", host.token))]


def _is_ours(health: Answer) -> bool:
    return health.status == 200 and isinstance(health.body, dict) and health.body.get("status") == "ok"


def _taken(host: str, port: int, health: Answer | str) -> Finding:
    holder = holder_of(port)
    by = f" by {holder}" if holder else ""
    told = health if isinstance(health, str) else f"its /health is not a gateway's (status {health.status})"
    return problem(
        f"port {port} on {host} is taken{by}, and no gateway answers there: {told}",
        "end that program, or choose another port with NEXUS_PORT",
    )


def judge_services(answer: Answer | str) -> list[Finding]:
    """What the running gateway says of its services."""
    if isinstance(answer, str):
        return [warning(f"the gateway does not say which services it has: {answer}", "read the gateway's log")]
    if answer.status == 401:
        todo = "set NEXUS_API_KEY to its token, or run the doctor in the folder where that gateway was started"
        return [warning("the gateway refuses the token of this folder: it is another folder's", todo)]
    body = answer.body if isinstance(answer.body, dict) else {}
    services, silent = body.get("data"), body.get("unreachable", ())
    if answer.status != 200 or not isinstance(services, list):
        todo = "it may be another program's port: look at who listens there"
        return [warning(f"/v1/services is answered with status {answer.status}, not as a gateway's", todo)]
    ready = [service for service in services if service.get("state") == "ready"]
    bad = [_unwell(service) for service in services if service.get("state") != "ready"]
    lost = [
        warning(f"nothing answers at {one.get('url')}: {one.get('reason')}", "start that service, or take it out")
        for one in silent
    ]
    return [ok(f"{len(ready)} of {len(services)} services are ready"), *bad, *lost]


def _unwell(service: dict[str, Any]) -> Finding:
    reason = next((one["reason"] for one in service.get("instances", ()) if one.get("reason")), "")
    told = f"the service {service.get('name')} is {service.get('state')}" + (f": {reason}" if reason else "")
    return warning(told, "read its log (.nexus/logs, or docker compose logs)")


def service_ports(host: Host) -> list[Finding]:
    """Whether the ports that the stack file chooses for services are free; others are found by themselves."""
    chosen = [
        (wanted.name, wanted.port + number)
        for wanted in host.services
        if wanted.port is not None
        for number in range(wanted.replicas)
    ]
    if not chosen or stack_runs(host.state):
        return []
    taken = [(name, port) for name, port in chosen if not is_free(_LOOPBACK, port)]
    return [_in_use(name, port) for name, port in taken] or [ok("the ports chosen for services are free")]


def _in_use(name: str, port: int) -> Finding:
    holder = holder_of(port)
    told = f"port {port}, chosen for {name}, is taken" + (f" by {holder}" if holder else "")
    return warning(f"{told}: it will get another one", f"end that program, or change service.{name}.port in stack.toml")
