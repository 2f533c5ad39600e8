"""Asks the gateway or the service in this container whether it is ready: exit status 0 if it is, 1 if it is not.

Run as `python -I -S probe.py VARIABLE`; the variable holds the port. Every container asks every few seconds, so little
is imported: an HTTP library alone would take several times as long as all of this.
"""

import os
import socket
import sys

TIMEOUT_SECONDS = 4
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def main(port: int) -> int:
    """Ask once. An answer that is no 200 is printed for `docker inspect`; so is what kept it from coming."""
    try:
        answer = ask(port, secure=any(os.environ.get(name) for name in ("NEXUS_TLS_CERT", "NEXUS_TLS_CERT_FILE")))
    except OSError as error:
        sys.stdout.write(f"port {port}: {error}\n")
        return 1
    status, _, rest = answer.partition(b"\r\n")
    if status.split(b" ")[1:2] == [b"200"]:
        return 0
    body = rest.partition(b"\r\n\r\n")[2]
    sys.stdout.write(f"{status.decode('latin-1')}: {body.decode('utf-8', 'replace')}\n")
    return 1


def ask(port: int, *, secure: bool) -> bytes:
    """The whole answer of `/readyz` on this machine's `port`. Raises OSError."""
    with socket.create_connection(("localhost", port), timeout=TIMEOUT_SECONDS) as connection:
        stream = _in_tls(connection) if secure else connection
        stream.sendall(REQUEST)
        return b"".join(iter(lambda: stream.recv(65536), b""))


def _in_tls(connection: socket.socket) -> socket.socket:
    """The same connection in TLS. Whose certificate it is says nothing here: it is the process next door."""
    import ssl  # noqa: PLC0415 - only where it is needed: it takes longer than the rest

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


if __name__ == "__main__":
    sys.exit(main(int(os.environ[sys.argv[1]])))
