"""Logs: one line an event, JSON in production and readable in development.

Each says which request, route, user and organization it belongs to, and nobody's name, address or secret: paths are
told as their templates, the database's errors without the values that they quote, and addresses are masked.
"""

import json
import logging
import re
from typing import Any

import structlog
from django.http import HttpRequest

from cerply.requests import current

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Of PostgreSQL's errors: "Key (email)=(maya@example.com) already exists.", and the rows in question.
QUOTED_VALUES = re.compile(r"^(DETAIL|CONTEXT): .*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
ADDRESS = re.compile(r"[^\s\"'<>(){}\[\]:;,=\\]+@[\w-]+(\.[\w-]+)+")

type Line = structlog.typing.EventDict


def add_doing(logger: Any, method: str, line: Line) -> Line:
    doing = current()
    if doing.request_id:
        line["request_id"] = doing.request_id
    if doing.route:
        line["route"] = doing.route
    if doing.user_id:
        line["user"] = str(doing.user_id)
    if doing.organization_id:
        line["organization"] = str(doing.organization_id)
    return line


def forget_paths(logger: Any, method: str, line: Line) -> Line:
    """Django names the path of a request that failed, and a link's secret may be in it."""
    request = line.pop("request", None)
    if isinstance(request, HttpRequest):
        reason, colon, _ = str(line["event"]).partition(": ")
        line["event"] = f"{reason}{colon}{line.get('route', '')}" if colon else reason
    return line


def mask(text: str) -> str:
    """Without the values that a database quotes, and without addresses."""
    if "DETAIL: " in text or "CONTEXT: " in text:
        text = QUOTED_VALUES.sub(r"\1 left out", text)
    return ADDRESS.sub("(address)", text) if "@" in text else text


def mask_all(logger: Any, method: str, line: Line) -> Line:
    for name in ("event", "exception"):
        if isinstance(line.get(name), str):
            line[name] = mask(line[name])
    return line


def shout_level(logger: Any, method: str, line: Line) -> Line:
    """In capitals, as operators look for it."""
    line["level"] = line["level"].upper()
    return line


class RequestLine(logging.Formatter):
    """Of the logger ``requests``, whose messages are fields: nothing but what it takes, for it is there each time."""

    def __init__(self, *, readable: bool) -> None:
        super().__init__()
        self.readable = readable

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = record.msg  # type: ignore[assignment]
        if self.readable:
            return " ".join(str(value) for value in fields.values() if value is not None)
        return json.dumps(fields)


def _line(*, json: bool) -> dict[str, Any]:
    """What makes a line of anybody's record, as an entry of ``formatters``."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        add_doing,
        forget_paths,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_all,
    ]
    rendered: list[structlog.typing.Processor] = (
        [shout_level, structlog.processors.JSONRenderer(ensure_ascii=False, default=str)]
        if json
        # Without the local variables of a traceback: a key may be among them.
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    )
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": shared,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
    }


def json_formatter() -> logging.Formatter:
    """For the web server, whose own lines are to be like ours: its configuration is a file, and calls it by name."""
    options = _line(json=True)
    return options.pop("()")(**options)  # type: ignore[no-any-return]


def logging_config(*, json: bool, level: str) -> dict[str, Any]:
    """The ``LOGGING`` setting: everything to standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": _line(json=json), "request": {"()": RequestLine, "readable": not json}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "requests": {"class": "logging.StreamHandler", "formatter": "request"},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # What it says is in the audit, and is a line of `[audit]`.
            "axes": {"level": "ERROR"},
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            # A 4xx is the client's business, and each request has its line.
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": [], "propagate": True},
            "django-q": {"handlers": [], "level": "INFO", "propagate": True},
            "fontTools": {"level": "ERROR"},
            "requests": {"handlers": ["requests"], "propagate": False},
            "weasyprint": {"level": "ERROR"},
        },
    }
