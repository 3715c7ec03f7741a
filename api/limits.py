"""ASGI middleware: bounds on what comes in, and headers on everything that goes out."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem

HEADERS: Final = {
    "Cache-Control": "no-store",  # answers are personal data, and differ by token
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Authorization, Cookie",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # answers are data
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # addresses name plates
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
ENCRYPTED: Final = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


class BodyLimit:
    """Refuses bodies over `most` bytes, by what they announce and by what they send."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        taken = int(announced) if announced.isdecimal() and len(announced) < 16 else 1 << 62
        received = 0

        # Raised where the body is read, inside the application, whose handlers answer it.
        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if max(received, taken) > self.most:
                    raise Problem("body_too_large", f"expected at most {self.most} bytes")
            return message

        await self.app(scope, bounded, send)


class SafeHeaders:
    """Sets the headers that every answer carries, unless it has them."""

    def __init__(self, app: ASGIApp, *, is_encrypted: bool) -> None:
        self.app = app
        self.headers = HEADERS | (ENCRYPTED if is_encrypted else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, marked)
