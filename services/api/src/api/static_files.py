"""Files for browsers: under a strict policy, compressed once, and not sent again to who has them. They hold no data."""

import gzip
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response

from api.http_reads import matches, tag_of

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",  # icons in style sheets
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ASK_ALWAYS = "no-cache"  # kept, but never used without asking


@dataclass(frozen=True, slots=True)
class StaticFile:
    body: bytes
    compressed: bytes
    tag: str
    media_type: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "StaticFile":
        """Compresses it: that takes too long for every request of somebody without a key."""
        return cls(body, gzip.compress(body), tag_of(body), media_type)

    def answer(self, request: Request, caching: str = ASK_ALWAYS) -> Response:
        headers = SAFE | {"Cache-Control": caching, "ETag": self.tag, "Vary": "Accept-Encoding"}
        if matches(self.tag, request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(self.body, headers=headers, media_type=self.media_type)
        return Response(self.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=self.media_type)
