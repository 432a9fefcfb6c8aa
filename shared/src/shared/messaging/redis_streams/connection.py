"""A connection to Redis that packs its commands in C; redis-py's Python code took a third of a worker's time."""

from hiredis import pack_command
from redis.asyncio.connection import Connection
from redis.typing import EncodableT


class PackingInC(Connection):
    """For redis:// URLs; TLS and sockets keep redis-py's own."""

    def pack_command(self, *args: EncodableT) -> list[bytes]:
        """A command's name may have several words, which Redis expects separately."""
        name = args[0].encode() if isinstance(args[0], str) else bytes(args[0])  # type: ignore[arg-type]
        return [pack_command((*name.split(), *args[1:]))]  # type: ignore[arg-type]  # its stub knows one argument only
