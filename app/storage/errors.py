"""What can go wrong with stored files."""


class StorageFull(Exception):
    """The disk, or the quota on it, is full. Nothing was stored."""
