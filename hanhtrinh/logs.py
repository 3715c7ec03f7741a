"""How events are written to standard error: pretty on a terminal, else one JSON object a line.

Our own events (structlog) and those of libraries (logging) take the same way and look the same.
"""

import logging
import sys
from typing import Any, Final

import structlog

from hanhtrinh.settings.model import Log

QUIET: Final = ("uvicorn.access", "httpx", "httpcore", "asyncio", "psycopg.pool", "alembic")
"""Libraries that say at `info` what our own events say better, or what only their authors want."""


def configure(options: Log) -> None:
    """Take over all logging of this process."""
    is_pretty = options.format == "pretty" or (options.format == "auto" and sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[options.level.upper()]
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if is_pretty:
        last += [structlog.dev.ConsoleRenderer()]
    else:
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=last)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
