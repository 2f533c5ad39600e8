"""The parts of the invokeai service: graphs, the engine's wire formats, and what becomes of its pictures."""
