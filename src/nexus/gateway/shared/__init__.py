"""Limits that several gateways count together, in Redis or Valkey."""
