"""Everything that is measured side by side: one file a program, one visible list."""

from bench.subjects import litellm, nexus, nginx, vllm_router
from bench.subjects.subject import Launch, Site, Subject

SUBJECTS: tuple[Subject, ...] = (
    nginx.SUBJECT,
    nexus.SUBJECT,
    vllm_router.SUBJECT,
    litellm.SUBJECT,
)

__all__ = ["SUBJECTS", "Launch", "Site", "Subject"]
