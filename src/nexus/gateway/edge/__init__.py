"""HTTP's server side: heads, bodies and their limits, request ids, the bearer token, the error envelope."""
