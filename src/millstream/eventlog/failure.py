"""What is nobody's fault: a failure of the storage, which no event is to be blamed for."""

from __future__ import annotations


class StorageFailed(Exception):
    """What is stored cannot be read: the disk, the file. Whatever was under way is done again."""
