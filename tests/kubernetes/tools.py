"""The programs that `deploy/check-kubernetes` brings, and how they are asked."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
TOOLS: Final = ROOT / ".nexus" / "tools" / "kubernetes"
HELM: Final = TOOLS / "bin" / "helm"
KUBECTL: Final = TOOLS / "bin" / "kubectl"
PYTHON: Final = TOOLS / "environment" / "bin" / "python"
CHART: Final = ROOT / "deploy" / "helm" / "nexus"
NAMESPACE: Final = "nexus"

needed: Final = pytest.mark.skipif(
    not all(program.exists() for program in (HELM, KUBECTL, PYTHON)),
    reason="deploy/check-kubernetes brings helm, kubectl and kubernetes-validate, and runs these tests",
)


def run(*command: str | Path, given: str | None = None) -> str:
    """What a program writes; its failure fails the test with all that it said."""
    done = subprocess.run([str(part) for part in command], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def template(*more: str | Path) -> str:
    """What the chart renders."""
    return run(HELM, "template", "nexus", CHART, "--namespace", NAMESPACE, *more)
