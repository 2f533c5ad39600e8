"""The upstream for small answers: an nginx that returns fixed bytes, far faster than any subject."""

from pathlib import Path

from bench.nginx_config import nginx_argv, write_config
from bench.upstream.answers import CHAT, GETS

_SERVER = """
    access_log off;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
{locations}
        location = /v1/chat/completions {{ return 200 '{chat}'; }}
    }}
"""


def static_argv(nginx: Path, folder: Path, port: int) -> tuple[str, ...]:
    """Write the configuration into `folder`; returns the command line."""
    locations = "\n".join(
        f"        location = {path} {{ return 200 '{body.decode()}'; }}" for path, body in GETS.items()
    )
    config = write_config(folder, _SERVER.format(port=port, locations=locations, chat=CHAT.decode()))
    return nginx_argv(nginx, folder, config)
