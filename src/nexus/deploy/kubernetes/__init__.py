"""A plan as a cluster's objects: one visible list of files in `render`, one small file a part."""
