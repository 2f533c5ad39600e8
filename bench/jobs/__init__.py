"""Is chat's first token later while ten jobs run? Alternating rounds, and a ratio to the same without jobs."""
