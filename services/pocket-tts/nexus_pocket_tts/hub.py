"""What the hub's client is told: it knows nothing but environment variables, and reads some when it is imported."""

import os
from pathlib import Path


def prepare_hub(token: str, cache: Path) -> None:
    """Before the package is imported: the token for gated weights, and where to keep what is fetched."""
    if token:
        os.environ["HF_TOKEN"] = token
    os.environ.setdefault("HF_HOME", str(cache.resolve() / "huggingface"))
