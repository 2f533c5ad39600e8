"""Outcome → metrics and one JSON line: what happened, without a token, a prompt or an answer."""
