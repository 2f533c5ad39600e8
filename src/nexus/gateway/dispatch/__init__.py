"""Plan → Reply: the request goes to the first target that takes it."""
