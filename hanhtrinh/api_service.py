"""The API as a service: its options made from the settings, its socket, its TLS."""

import asyncio
import socket
import ssl
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from hanhtrinh import schema, wiring
from hanhtrinh.errors import CommandError
from hanhtrinh.serving import stopped_by_signals
from hanhtrinh.settings import Settings

if TYPE_CHECKING:
    from api.options import ApiOptions, IdentityProvider


def api_dsn(settings: Settings) -> str:
    """The API's own connection string; the owner's where none is set."""
    own = settings.api.dsn
    if own is None:
        return wiring.dsn(settings)
    return schema.checked_dsn("api.dsn", own.get_secret_value())


def make_api_login(settings: Settings) -> None:
    """Make the API's user of the database, if the settings name one."""
    if settings.api.dsn is not None:
        from storage.access.logins import ensure_login  # noqa: PLC0415

        ensure_login(wiring.dsn(settings), api_dsn(settings))


def api_options(settings: Settings) -> "ApiOptions":
    """What the API allows."""
    from importlib.metadata import version  # noqa: PLC0415

    from api.options import ApiOptions  # noqa: PLC0415

    api = settings.api
    return ApiOptions(
        version=version("hanhtrinh"),
        statement_timeout_s=api.statement_timeout_s,
        most_body_bytes=api.body_kib << 10,
        most_window_days=api.window_days,
        requests_per_s=api.requests_per_s,
        address_requests_per_s=api.address_requests_per_s,
        requests_at_once=api.requests_at_once,
        logins_per_minute=api.logins_per_minute,
        session_hours=api.session_hours,
        session_idle_minutes=api.session_idle_minutes,
        password_days=api.password_days,
        secret=None if api.secret is None else api.secret.get_secret_value(),
        kept_days=api.driver_kept_days,
        four_eyes=_four_eyes(api.four_eyes),
        most_attachments=api.attachments,
        most_attachment_bytes=api.attachment_kib << 10,
        most_attachment_bytes_per_day=api.attachments_mib_per_day << 20,
        is_encrypted=api.tls_cert is not None or api.is_behind_tls,
        identity_provider=_identity_provider(settings),
        profiles=wiring.profiles(settings),
        timezone=settings.judge.timezone,
    )


def _four_eyes(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds about which two people decide. Raises CommandError where one names no kind."""
    from storage.reviews.kinds import KINDS, unknown  # noqa: PLC0415

    if wrong := unknown(patterns):
        raise CommandError(f"api.four_eyes: expected of {', '.join(KINDS)}, got {wrong[0]!r}")
    return patterns


def _identity_provider(settings: Settings) -> "IdentityProvider | None":
    from api.options import IdentityProvider  # noqa: PLC0415

    api = settings.api
    if api.oidc_issuer is None or api.oidc_client_secret is None:
        return None
    return IdentityProvider(
        issuer=api.oidc_issuer,
        client_id=api.oidc_client_id,
        public_url=api.public_url.rstrip("/"),
        client_secret=api.oidc_client_secret.get_secret_value(),
        username_claim=api.oidc_username_claim,
    )


def _tls(settings: Settings) -> dict[str, Any]:
    """What uvicorn needs to speak TLS 1.2 or 1.3."""
    api = settings.api
    if api.tls_cert is None:
        return {}

    def context(*_: Any) -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.load_cert_chain(str(api.tls_cert), None if api.tls_key is None else str(api.tls_key))
        return made

    return {
        "ssl_certfile": str(api.tls_cert),
        "ssl_keyfile": None if api.tls_key is None else str(api.tls_key),
        "ssl_context_factory": context,
    }


async def run_api(settings: Settings, stop: asyncio.Event) -> None:
    """Serve the API until `stop` is set; requests under way are finished first."""
    import structlog  # noqa: PLC0415
    import uvicorn  # noqa: PLC0415

    from api.app import serve_app  # noqa: PLC0415

    app = serve_app(
        api_options(settings), api_dsn(settings), pool_size=settings.database.pool_connections
    )
    listener = _listen(settings.api.host, settings.api.port)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=10,
            server_header=False,
            forwarded_allow_ips=list(settings.api.trusted_proxies),
            **_tls(settings),
        )
    )
    # Signals are ours: uvicorn would raise them again once it has stopped.
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]
    port = listener.getsockname()[1]
    scheme = "http" if settings.api.tls_cert is None else "https"
    structlog.get_logger(__name__).info(
        "api.listening", url=f"{scheme}://{settings.api.host}:{port}/api/v1", docs="/api/v1/docs"
    )
    with listener, stopped_by_signals(stop):
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="api-serve")
        stopping = asyncio.create_task(stop.wait(), name="api-stop")
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        stopping.cancel()
        await serving
    if not server.started:
        raise CommandError("the API did not start; its log says why")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CommandError(f"api: cannot listen on {host} port {port}: {error.strerror}") from error
