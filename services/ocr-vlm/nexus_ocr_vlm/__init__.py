"""The parts of the service: pages drawn one at a time, the readers that make Markdown of each, and the answer."""
