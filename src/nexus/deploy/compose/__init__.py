"""A plan as a Compose file: one visible list of parts in `render`, one small file a part."""
