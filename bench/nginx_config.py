"""The frame of an nginx that runs in one folder, as the user that starts it, with one worker."""

import getpass
import os
from pathlib import Path

_FRAME = """{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 8192; multi_accept on; }}
http {{
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    tcp_nodelay on;
    client_max_body_size 64m;
    default_type application/json;
{inside}
}}
"""


def write_config(folder: Path, inside: str) -> Path:
    """Write nginx.conf with `inside` as the rest of its http block; returns its path."""
    # nginx started by root would give its worker to another user, who may not enter our folder.
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    path = folder / "nginx.conf"
    path.write_text(_FRAME.format(user=user, inside=inside), encoding="utf-8")
    return path


def nginx_argv(program: Path, folder: Path, config: Path) -> tuple[str, ...]:
    """The command line: everything relative is relative to `folder`."""
    return (str(program), "-p", f"{folder}/", "-c", str(config), "-e", "error.log")
