"""Beside the request path, never in it: who is out there, and in what state.

Sources list, the prober asks, the snapshot tells.
"""
