"""The parts of the images service: what paints, what is asked of it, and how pictures come and go."""
