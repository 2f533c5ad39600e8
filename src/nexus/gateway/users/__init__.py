"""Signing in: passwords and how guessing them is slowed down, sessions, and other issuers who vouch for users."""
