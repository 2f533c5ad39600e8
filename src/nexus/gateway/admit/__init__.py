"""Call → Permit: leave to go on, given back exactly once."""
