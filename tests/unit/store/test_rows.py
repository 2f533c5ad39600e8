"""Where the bytes of a kept file lie."""

from dataclasses import replace

from nexus.store.rows import KeptFile

FILE = KeptFile("file-1", "file", "ada", "a.txt", "text/plain", 1.0)


def test_a_key_is_the_kind_and_the_id_and_never_the_name_that_a_client_gave() -> None:
    assert FILE.key == "files/file-1"
    assert replace(FILE, id="x", kind="artifact", filename="../../etc").key == "artifacts/x"
