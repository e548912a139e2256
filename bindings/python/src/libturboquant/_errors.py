"""Exceptions: one class per tq_status, so that callers never compare numbers or texts."""

from __future__ import annotations


class Error(Exception):
    """Any failure that the native library reports.

    Attributes
    ----------
    status : int
        The tq_status of the C ABI. Numbers that this version does not know are kept.
    status_name : str
        Such as "TQ_ERR_BUSY".
    """

    status: int = 0
    status_name: str = ""


class InvalidArgument(Error, ValueError):
    """An argument was refused; the message names it and its value. Also raised for closed objects."""

    status = 1
    status_name = "TQ_ERR_INVALID_ARGUMENT"


class OutOfMemory(Error, MemoryError):
    """The system or the byte budget refused; the cache is as it was."""

    status = 2
    status_name = "TQ_ERR_OUT_OF_MEMORY"


class BufferTooSmall(Error):
    """A buffer does not hold enough; the message says how many bytes are needed."""

    status = 3
    status_name = "TQ_ERR_BUFFER_TOO_SMALL"


class CorruptData(Error):
    """The content of a file is damaged or impossible; the message names file and field."""

    status = 4
    status_name = "TQ_ERR_CORRUPT_DATA"


class Unsupported(Error):
    """A newer format, an option or a CPU target that this build does not know."""

    status = 5
    status_name = "TQ_ERR_UNSUPPORTED"


class InternalError(Error):
    """A bug in libturboquant; please report the message."""

    status = 6
    status_name = "TQ_ERR_INTERNAL"


class NotFound(Error, LookupError):
    """A sequence that does not exist, or no longer; a file that does not exist."""

    status = 7
    status_name = "TQ_ERR_NOT_FOUND"


class Busy(Error):
    """Another thread is using what would be written or closed, or is writing what would be used."""

    status = 8
    status_name = "TQ_ERR_BUSY"


_CLASSES: dict[int, type[Error]] = {
    kind.status: kind
    for kind in (
        InvalidArgument,
        OutOfMemory,
        BufferTooSmall,
        CorruptData,
        Unsupported,
        InternalError,
        NotFound,
        Busy,
    )
}


def error_from_status(status: int, status_name: str, message: str) -> Error:
    """The exception for a status; called by the extension module."""
    kind = _CLASSES.get(status)
    if kind is not None:
        return kind(message)
    error = Error(message)
    error.status = status
    error.status_name = status_name
    return error
