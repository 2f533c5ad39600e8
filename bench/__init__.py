"""Side-by-side measurement of this gateway, nginx and other gateways, in one run on pinned cores."""
