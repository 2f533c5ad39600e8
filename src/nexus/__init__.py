"""Nexus: one address for every kind of AI that you run yourself."""
