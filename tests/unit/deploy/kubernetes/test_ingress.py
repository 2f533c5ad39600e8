"""The way in from outside the cluster."""

from pathlib import Path

from tests.kubernetes.cluster import all_objects, find
from tests.kubernetes.sites import plan_of


def test_an_ingress_leads_to_the_gateway_and_does_not_cut_answers(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "ingress"))
    ingress = find(objects, "Ingress", "gateway")
    annotations = ingress["metadata"]["annotations"]
    assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == "0"
    spec = ingress["spec"]
    assert spec["ingressClassName"] == "nginx"
    assert spec["tls"] == [{"hosts": ["ai.example.org"], "secretName": "ai-tls"}]
    (rule,) = spec["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    (port,) = find(objects, "Service", "gateway")["spec"]["ports"]
    assert (rule["host"], backend["name"], backend["port"]["name"]) == ("ai.example.org", "gateway", port["name"])


def test_an_ingress_without_host_and_certificate_takes_every_host(tmp_path: Path) -> None:
    spec = find(all_objects(plan_of(tmp_path, "ingress-plain")), "Ingress", "gateway")["spec"]
    assert "tls" not in spec
    assert "host" not in spec["rules"][0]


def test_a_route_has_no_timeouts_and_leads_to_the_gateway(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "gateway-api"))
    (listener,) = find(objects, "Gateway", "gateway")["spec"]["listeners"]
    assert (listener["protocol"], listener["port"]) == ("HTTPS", 443)
    assert listener["tls"]["certificateRefs"] == [{"kind": "Secret", "name": "ai-tls"}]
    spec = find(objects, "HTTPRoute", "gateway")["spec"]
    assert spec["parentRefs"] == [{"name": "gateway"}]
    (rule,) = spec["rules"]
    assert rule["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    assert rule["backendRefs"] == [{"name": "gateway", "port": 8800}]


def test_a_gateway_without_certificate_speaks_http(tmp_path: Path) -> None:
    (listener,) = find(all_objects(plan_of(tmp_path, "gateway-api-plain")), "Gateway", "gateway")["spec"]["listeners"]
    assert (listener["protocol"], listener["port"]) == ("HTTP", 80)
    assert not {"tls", "hostname"} & set(listener)


def test_a_site_that_asks_for_neither_has_neither(tmp_path: Path) -> None:
    kinds = {item["kind"] for item in all_objects(plan_of(tmp_path, "default"))}
    assert not kinds & {"Ingress", "Gateway", "HTTPRoute"}
