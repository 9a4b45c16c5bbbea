"""Asking what is true of a file, and what of it is not."""

from tests.api.client import Answer

PATH = "/certificates/verify"
PDF = {"content_type": "application/pdf"}


def failed(answer: Answer) -> list[str]:
    return [check["check"] for check in answer.body["checks"] if not check["passed"]]
