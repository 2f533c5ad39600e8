"""OpenAI's wire shapes: permissive where OpenAI is (unknown fields are kept), strict on types."""
