"""The parts of the transcription service: a form to a recording, a recording to segments, segments to the wire."""
