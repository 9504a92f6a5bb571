"""Archives: groups of records with a directory, checksums and random access."""

from invae.codec.container.archive import Archive

__all__ = ["Archive"]
