"""The sockets under MLLP: one that listens, and connections opened as streams, with TLS or without."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from cds_service.errors import ConfigurationError

# Chosen by us: a handshake is four packets; closing waits for the other side's word only this long.
HANDSHAKE_S = 10.0
_CLOSE_S = 1.0
_BUFFER_BYTES = 64 * 1024
_BACKLOG = 256
# A peer whose host is gone without a word is noticed after two minutes; the system's own default is two hours.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


def listening(bind: tuple[str, int]) -> socket.socket:
    """A socket that listens; ConfigurationError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in bind[0] else socket.AF_INET
    try:
        found = socket.create_server(bind, family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"cannot listen: {error.strerror}", where="CDS_MLLP_BIND") from None
    found.setblocking(False)
    return found


async def open_stream(
    accepted: socket.socket, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Both directions of an accepted connection, after its TLS handshake; OSError when that fails or takes too long."""
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            accepted.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_BUFFER_BYTES, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol,
        accepted,
        ssl=context,
        ssl_handshake_timeout=HANDSHAKE_S if context else None,
        ssl_shutdown_timeout=_CLOSE_S if context else None,
    )
    transport.set_write_buffer_limits(high=1, low=0)  # what is drained has left: closing then loses no answer
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def close_stream(writer: asyncio.StreamWriter) -> None:
    """Close, at once where the other side does not take part."""
    writer.close()
    try:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_CLOSE_S):
                await writer.wait_closed()
    finally:
        writer.transport.abort()
