"""vLLM's router (Rust): the fastest other gateway for language models that installs from a package."""

from pathlib import Path

from bench.processes import free_port
from bench.subjects.subject import Launch, Site, Subject, find_program


def _launch(program: Path, site: Site) -> Launch:
    return Launch(
        (
            *(str(program), "--host", "127.0.0.1", "--port", str(site.port)),
            *("--worker-urls", site.upstream_url, "--policy", "round_robin"),
            *("--prometheus-port", str(free_port()), "--log-level", "warning"),
            *("--worker-startup-check-interval", "1"),
        )
    )


SUBJECT = Subject(
    name="vllm-router",
    get="uv venv .bench/peers/vllm-router && uv pip install -p .bench/peers/vllm-router vllm-router",
    find=lambda: find_program("vllm-router", "vllm-router"),
    launch=_launch,
)
