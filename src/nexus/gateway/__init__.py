"""The gateway: the only process that clients reach."""
