"""What comes past the test client: requests as a server hands them over."""

import logging
import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from cerply.logs import logging_config
from cerply.serving import Application


@pytest.mark.parametrize("charset", ["hex", "utf-16", "rot13", "nonsense"])
def test_no_charset_decodes_a_query(db: None, charset: str) -> None:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/attempts",
        "QUERY_STRING": "limit=5&q=%C3%A9",
        "CONTENT_TYPE": f"application/json; charset={charset}",
        "CONTENT_LENGTH": "2",
        "wsgi.input": BytesIO(b"{}"),
    }
    setup_testing_defaults(environ)
    started: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started.append(status)
        return sys.stdout.buffer.write

    body = b"".join(Application()(environ, start))
    assert started == ["401 Unauthorized"]
    assert b"UNAUTHORIZED" in body


def test_a_traceback_on_the_console_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "-".join(["do", "not", "print"])
    configuration = logging_config(json=False, level="INFO")
    formatter = configuration["formatters"]["line"]
    try:
        raise ValueError(len(secret))
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", None, sys.exc_info())
    line = formatter.pop("()")(**formatter).format(record)
    assert "ValueError" in line
    assert secret not in line
