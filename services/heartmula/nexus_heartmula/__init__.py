"""The parts of the HeartMuLa service: what is asked, the worker process that holds the model, and its protocol."""
