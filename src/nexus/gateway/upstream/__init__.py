"""Pooled connections to services: HTTP's client side, for the inference lane."""
