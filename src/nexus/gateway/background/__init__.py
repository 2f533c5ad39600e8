"""Calls that are answered later: the desk takes them, the runner tells each its story to a scribe."""
