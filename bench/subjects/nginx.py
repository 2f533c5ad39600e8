"""nginx as a plain `proxy_pass`: the limit that everything else is compared with."""

from pathlib import Path

from bench.nginx_config import nginx_argv, write_config
from bench.subjects.subject import Launch, Site, Subject, find_program

# Unbuffered proxying relays each chunk as it comes, as a gateway of streams must; for the small answer it costs
# nothing, since the answer comes in one piece. The log is JSON and buffered, as the gateway's own is.
_SERVER = """
    log_format json escape=json '{{"ts":$msec,"request_id":"$request_id","status":$status,"bytes":$bytes_sent,'
                                '"ms":$request_time,"path":"$uri"}}';
    access_log access.log json buffer=64k flush=1s;
    upstream service {{ server 127.0.0.1:{upstream_port}; keepalive 2048; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Request-Id $request_id;
            proxy_buffering off;
            proxy_read_timeout 600s;
        }}
    }}
"""


def _launch(program: Path, site: Site) -> Launch:
    config = write_config(site.folder, _SERVER.format(port=site.port, upstream_port=site.upstream_port))
    return Launch(nginx_argv(program, site.folder, config))


SUBJECT = Subject(
    name="nginx",
    get="apt-get install nginx-light",
    find=lambda: find_program("nginx", "nginx"),
    launch=_launch,
)
