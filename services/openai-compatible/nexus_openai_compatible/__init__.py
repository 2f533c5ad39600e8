"""The parts of the openai-compatible service."""
