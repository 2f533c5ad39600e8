"""The parts of the comfyui service: workflows and their inputs, the engine's wire formats, and its files."""
