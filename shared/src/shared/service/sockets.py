"""Binds the port of a service before anything else is started."""

import os
import socket

from shared.errors import CannotGoOn

UNREAD_MILLISECONDS = 30_000  # after which a client that takes nothing of what was sent is disconnected


class CannotListen(CannotGoOn):
    exit_code = 3


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Raises CannotListen. The protocol is set because asyncio enables TCP_NODELAY only then."""
    listening = socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # inherited by each connection
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        why = os.strerror(error.errno) if error.errno else str(error)
        raise CannotListen(f"cannot listen on port {port} of {host}: {why} (set {setting} to another port)") from error
    return listening
