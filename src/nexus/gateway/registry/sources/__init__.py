"""Where listings of instances come from: one file a way to find them."""
