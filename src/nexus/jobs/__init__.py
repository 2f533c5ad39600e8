"""Durable slow work: what a job is, where it is written down, and who runs next."""
