"""`/v1/rerank`: documents ordered by how well they fit a query, in the shape of Jina's and Cohere's endpoints."""

from typing import Annotated, Literal

from pydantic import Field

from nexus.contract.wire.base import ModelName, Usage, Wire


class RerankDocument(Wire):
    """One document as an object; other fields are kept and not read."""

    text: str


Documents = Annotated[tuple[str | RerankDocument, ...], Field(min_length=1, max_length=1000)]


class RerankRequest(Wire):
    """A rerank request. `max_chunks_per_doc` is read and has no effect: documents are always read whole."""

    model: ModelName | None = None
    query: Annotated[str, Field(min_length=1, max_length=65536)]
    documents: Annotated[Documents, Field(examples=[["a document", "another one"]])]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool | None = None
    max_chunks_per_doc: int | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The documents' texts, in their order."""
        return tuple(entry if isinstance(entry, str) else entry.text for entry in self.documents)


class RerankResult(Wire):
    """`index` is the document's place in the request; `relevance_score` is 0 to 1."""

    index: int
    relevance_score: float
    document: RerankDocument | None = None


class RerankResponse(Wire):
    """Results best first."""

    id: str
    object: Literal["list"]
    model: str
    results: tuple[RerankResult, ...]
    usage: Usage
