"""What outlives a process: rows in a database and bytes in a blob storage. It knows nothing of requests."""
