"""The parts of the ollama service."""
