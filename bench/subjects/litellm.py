"""LiteLLM's proxy (Python): the gateway that most people compare with."""

import json
from pathlib import Path

from bench.subjects.subject import Launch, Site, Subject, find_program


def _launch(program: Path, site: Site) -> Launch:
    upstream = {"model": f"openai/{site.model}", "api_base": f"{site.upstream_url}/v1", "api_key": "none"}
    config = {
        "model_list": [{"model_name": site.model, "litellm_params": upstream}],
        "general_settings": {"master_key": site.token},
    }
    path = site.folder / "litellm.json"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML too, which is what it reads
    return Launch(
        (str(program), "--config", str(path), "--host", "127.0.0.1", "--port", str(site.port), "--num_workers", "1"),
        # Its price list is fetched at start; the packaged copy is enough here.
        {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"},
    )


SUBJECT = Subject(
    name="litellm",
    get="uv venv .bench/peers/litellm && uv pip install -p .bench/peers/litellm 'litellm[proxy]'",
    find=lambda: find_program("litellm", "litellm"),
    launch=_launch,
)
