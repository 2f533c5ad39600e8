"""The service contract as a list of small checks that any service, ours or a stranger's, can be held to by its URL."""
