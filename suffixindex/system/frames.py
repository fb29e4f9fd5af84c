"""Objects through pipes: pickled, with their large buffers beside the pickle, so that nothing is copied but by the pipe."""

import pickle
import struct
from socket import SocketIO
from typing import IO, Any

COUNT = struct.Struct("<I")
SIZE = struct.Struct("<Q")
PIPE_BYTES = 1 << 20  # what a pipe holds at once, where the system allows it
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, which Python knows only from 3.10 on Linux


def widen(pipe: int) -> None:
    """Let a pipe hold more than the usual 64 KiB: each fill of it wakes the other side."""
    try:
        import fcntl

        fcntl.fcntl(pipe, _SET_PIPE_SIZE, PIPE_BYTES)
    except (ImportError, OSError):  # another system, or many pipes already
        return


def send(file: IO[bytes] | SocketIO, content: Any) -> None:
    """Write one object. ``file`` is not buffered."""
    buffers: list[pickle.PickleBuffer] = []
    blobs: list[bytes | memoryview] = [pickle.dumps(content, 5, buffer_callback=buffers.append)]
    blobs += [buffer.raw() for buffer in buffers]
    write(file, COUNT.pack(len(blobs)) + b"".join(SIZE.pack(len(blob)) for blob in blobs))
    for blob in blobs:
        write(file, blob)


def write(file: IO[bytes] | SocketIO, content: bytes | memoryview) -> None:
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]


def receive(file: IO[bytes], *, writable: bool = False) -> Any:
    """Read one object; of its buffers the arrays are ``writable``, or all are plain ``bytes``.

    Raises
    ------
    EOFError
        The other side is gone.
    """
    count = COUNT.unpack(_exactly(file, COUNT.size))[0]
    sizes = [SIZE.unpack(_exactly(file, SIZE.size))[0] for _ in range(count)]
    content = _exactly(file, sizes[0])
    buffers = [_fill(file, size) if writable else _exactly(file, size) for size in sizes[1:]]
    return pickle.loads(content, buffers=buffers)


def _exactly(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise EOFError("the process at the other end of the pipe is gone")
    return content


def _fill(file: IO[bytes], size: int) -> bytearray:
    content = bytearray(size)
    if file.readinto(content) < size:  # type: ignore[attr-defined]
        raise EOFError("the process at the other end of the pipe is gone")
    return content
