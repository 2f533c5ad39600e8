"""What can go wrong with storage, told without the libraries behind it."""


class StoreError(Exception):
    """The storage cannot do what was asked just now; the message is one line that shows no secret."""


class DatabaseError(StoreError):
    """The database cannot be reached, is full, or is locked for too long."""


class DatabaseFullError(DatabaseError):
    """There is no room left; the transaction did not happen."""


class BlobError(StoreError):
    """The blob storage failed."""


class BlobsFullError(BlobError):
    """There is no room left; what was begun has been removed again."""


class BlobMissingError(BlobError):
    """There are no bytes under this key."""
