"""The commands of the rendered README and of the chart's notes, as they are typed."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from nexus.deploy.kubernetes.render import render
from nexus.deploy.secrets import ensure_secrets
from tests.kubernetes.sites import plan_of
from tests.kubernetes.tools import CHART, KUBECTL, needed, run

pytestmark = needed


def typed(text: str) -> list[str]:
    """The words of the command in a text that makes the keys' Secret."""
    (command,) = re.findall(r"kubectl .*create secret generic nexus-keys.*", text.replace("\\\n", " "))
    return shlex.split(command)[1:]


@pytest.mark.parametrize("where", ["README.md", "NOTES.txt"])
def test_the_one_command_makes_the_secret_with_all_its_keys(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = (CHART / "templates" / "NOTES.txt").read_text().replace("{{ .Release.Namespace }}", "nexus")
    text = render(plan_of(tmp_path, "default"))["README.md"] if where == "README.md" else notes
    ensure_secrets(tmp_path / "keys")
    monkeypatch.chdir(tmp_path)
    secret = yaml.safe_load(run(KUBECTL, *typed(text), "--dry-run=client", "--output=yaml"))
    assert secret["metadata"] == {"name": "nexus-keys", "namespace": "nexus"}
    assert set(secret["data"]) == {"api_key", "database_url", "redis_url", "postgres_password", "valkey.conf"}
