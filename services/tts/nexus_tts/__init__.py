"""The parts of the tts service: text to phonemes, phonemes to pieces, pieces to sound, sound to the wire."""
