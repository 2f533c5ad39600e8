"""The administrator's API holds what its OpenAPI document says, whatever it is sent."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.servers.gateway import TOKEN, Gateway

DOCUMENT = "/v1/admin/openapi.json"
EXAMPLES = 15
NOT_SO = ("positive_data_acceptance", "use_after_free")
"""Valid data is refused where a policy it names is not there; what was revoked is still shown, by its id."""


def test_it_withstands_what_schemathesis_makes_of_its_document(gateway: Gateway, tmp_path: Path) -> None:
    withstands(gateway, tmp_path)


def test_and_so_do_users_where_there_are_any(start_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    withstands(start_gateway(env={"NEXUS_USERS": "on"}), tmp_path, "--include-path-regex", "users")


def withstands(gateway: Gateway, tmp_path: Path, *more: str) -> None:
    gateway.wait_for_storage()
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", gateway.url + DOCUMENT]
    command += ["--header", f"Authorization: Bearer {TOKEN}", "--max-examples", str(EXAMPLES), "--seed", "1"]
    command += ["--checks", "all", "--exclude-checks", ",".join(NOT_SO), "--request-timeout", "30", "--no-color", *more]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-2000:]
    assert "Tested: " in told.stdout


def test_the_document_is_the_administrators_alone(gateway: Gateway) -> None:
    document = gateway.get(DOCUMENT)
    assert document.status == 200
    assert {"/v1/admin/tokens", "/v1/admin/audit", DOCUMENT} <= set(document.json()["paths"])
    assert gateway.get(DOCUMENT, token="sk-other").status == 401


def test_a_405_names_every_method_that_a_path_is_for(gateway: Gateway) -> None:
    answer = gateway.get("/v1/admin/tokens", method="PUT")
    assert (answer.status, answer.header("allow")) == (405, "GET, POST")
