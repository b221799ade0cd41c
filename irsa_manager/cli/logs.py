"""Logs: one JSON line each in a pod, readable lines on a terminal; on stderr, since stdout is for results."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

from irsa_manager.api.errors import UsageError
from irsa_manager.cli.output import takes_colours

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


_FIRST = ("ts", "level", "msg", "object", "code", "action", "role", "awsOperation", "awsRequestID", "durationSeconds")


def _in_order(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The fields that every reader looks for first, in one order."""
    return {key: event[key] for key in (*_FIRST, *(k for k in event if k not in _FIRST)) if key in event}


def configure_logs(level: str = "info", form: str = "", *, for_good: bool = False) -> None:
    """level: debug, info, warning or error. form: json, text, or "" to choose by what stderr is. Raises UsageError.

    for_good: it won't be called again in this process, which is quicker for who logs much.
    """
    import structlog

    if level not in _LEVELS:
        raise UsageError("Usage", f"--log-level={level} is unknown.", hint=f"Choose one of {', '.join(_LEVELS)}.")
    if form not in {"", "json", "text"}:
        raise UsageError("Usage", f"--log-format={form} is unknown.", hint="Choose json or text.")
    text = form == "text" or (not form and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.EventRenamer("msg"),
    ]
    render: list[Any]
    if text:
        colours = takes_colours(sys.stderr)
        render = [
            structlog.dev.ConsoleRenderer(
                event_key="msg",
                timestamp_key="ts",
                pad_event_to=0,
                colors=colours,
                exception_formatter=structlog.dev.plain_traceback,  # Rich's shows the values of variables
            )
        ]
    else:
        render = [structlog.processors.format_exc_info, _in_order, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=for_good,
    )
    # Libraries' own logs, in the same form: botocore at debug would print requests.
    theirs = logging.StreamHandler(sys.stderr)
    theirs.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(handlers=[theirs], level=logging.WARNING)
    logging.getLogger("botocore").setLevel(logging.ERROR)


class _Short(logging.Filter):
    """httpx2's line for a request, made like our own for a call of AWS."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and len(record.args) == 5:
            method, url, _, status, _ = record.args
            record.msg, record.args = "Kubernetes call %s %s %s", (method, _path(str(url)), status)
        return True


def _path(url: str) -> str:
    parts = urlsplit(url)
    return unquote(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def show_requests() -> None:
    """Log each request to the API server too; those to AWS are in our own log, at debug."""
    theirs = logging.getLogger("httpx2")
    theirs.setLevel(logging.INFO)
    theirs.addFilter(_Short())
