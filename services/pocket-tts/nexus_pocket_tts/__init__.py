"""The parts of the pocket-tts service: which voice, which copy of the model, and the speech that comes of it."""
