"""The parts of the video service: an order, filmmakers that give its frames, and the files made of the frames."""
