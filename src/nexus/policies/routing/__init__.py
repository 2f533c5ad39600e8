"""Where a call is to go by the rules of `routes`: conditions, and what is done. First match wins."""
