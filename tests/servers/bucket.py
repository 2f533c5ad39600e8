"""An S3 bucket over real HTTP on loopback."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

KEY, SECRET = "AKIATEST", "test/secret+key="


@dataclass(frozen=True)
class Bucket:
    """`client` is the vendor's own, to see from outside what is there."""

    name: str
    endpoint: str
    client: Any

    def names(self) -> list[str]:
        return [one["Key"] for one in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def unfinished(self) -> list[Any]:
        """Multipart uploads that were begun and neither completed nor taken back."""
        return list(self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", []))


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A server with one empty bucket. All servers of a process share what they keep, so its name is a new one."""
    name = f"nexus-files-{secrets.token_hex(4)}"
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=name)
        yield Bucket(name, endpoint, client)
        client.close()
    finally:
        server.stop()
