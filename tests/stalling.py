"""A TCP path to a server that can stall or be cut: both ends stay connected, and nothing arrives."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread


class Path:
    """Forwards connections from `port` to the target while it is open."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._flowing = Event()
        self._flowing.set()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """From now on forward nothing, and say nothing of it."""
        self._flowing.clear()

    def flow(self) -> None:
        """Forward again, what was held back first."""
        self._flowing.set()

    def cut(self) -> None:
        """Break every connection there is."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Accept no more, and let go of what there is."""
        self._listener.close()
        self.flow()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    near.close()  # nobody listens there now
                    continue
                self._sockets += (near, far)
                Thread(target=self._forward, args=(near, far), daemon=True).start()
                Thread(target=self._forward, args=(far, near), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source, sink:
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def a_path(target: int) -> Iterator[Path]:
    """A path until the block ends."""
    path = Path(target)
    try:
        yield path
    finally:
        path.close()
