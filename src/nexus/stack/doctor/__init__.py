"""`nexus doctor`: looks at this host and says what is missing for a stack. Nothing here writes, starts or changes."""
