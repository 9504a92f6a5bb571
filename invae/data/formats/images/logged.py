"""What image libraries only write to their logs: here it becomes an error or a warning."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from invae.errors import FormatError, InvaeWarning

__all__ = ["strict_log"]


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def strict_log(library: str, label: str) -> Iterator[None]:
    """Raise the first error, and give as a warning whatever else, that a library logs about a file.

    Raises
    ------
    FormatError
        The library logged an error: it went on with zeros, or with fewer images than there are.
    """
    logger = logging.getLogger(library)
    collector = _Collector()
    level, propagate, disabled = logger.level, logger.propagate, logger.disabled
    logger.addHandler(collector)
    logger.setLevel(logging.WARNING)
    logger.propagate = logger.disabled = False
    try:
        yield
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)
        logger.propagate, logger.disabled = propagate, disabled
    said = [(record.levelno, " ".join(record.getMessage().split())) for record in collector.records]
    for number, message in said:
        if number >= logging.ERROR:
            raise FormatError(f"{label}: damaged file ({library}: {message})")
    for message in dict.fromkeys(message for _, message in said):
        warnings.warn(InvaeWarning(f"{label}: {library} says: {message}"), stacklevel=5)
