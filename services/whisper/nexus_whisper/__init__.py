"""The parts of the whisper service: whisper.cpp's server asked window by window, its answers as plain values."""
