"""Asking the job worker for something, in the transaction that makes it necessary."""

from typing import Any

from django_q.tasks import async_task


def enqueue(function: str, *args: Any) -> None:
    """Has the worker call the function of this dotted name.

    The task is a row: committed with its cause, or never there. It may run twice (a worker that is killed leaves its
    task to another), so the function looks first what is still owed.
    """
    async_task(function, *args)
