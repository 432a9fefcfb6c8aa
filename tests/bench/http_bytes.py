"""HTTP/1.1 as bytes: what asks must cost less than what answers. Pure."""

_LENGTH = b"content-length: "


def request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body


def is_whole(answer: bytes | bytearray) -> bool:
    """Of an answer with a Content-Length, as all of the API have."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    at = answer.lower().find(_LENGTH, 0, end) + len(_LENGTH)
    return len(answer) >= end + 4 + int(answer[at : answer.find(b"\r", at)])


def status(answer: bytes | bytearray) -> int:
    return int(answer[9:12])
