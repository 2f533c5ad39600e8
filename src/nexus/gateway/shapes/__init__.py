"""The shapes of what stands in nexus.yaml, key by key, and what is told of a mistake in it."""
