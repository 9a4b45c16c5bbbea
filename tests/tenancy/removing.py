"""Takes the tenant filter away at one place of the code at a time."""

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db.models import QuerySet

CHECKOUT = Path(__file__).resolve().parents[2]
OURS = tuple(str(CHECKOUT / app) for app in ("cerply", "gamification", "certificates", "notifications", "audit", "ops"))
# A method of a queryset with one of these narrows it down to whom it is for.
FOR_SOMEBODY = {"caller", "organization_id", "user_id"}


@dataclass
class Filters:
    """Notes each place at which one of them is called; at the one that is `removed`, it gives every row."""

    removed: str | None = None
    reached: set[str] = field(default_factory=set)

    def wrap(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def wrapped(rows: QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
            place = _place()
            self.reached.add(place)
            if place == self.removed:
                return rows.all()
            return method(rows, *args, **kwargs)

        return wrapped

    @contextmanager
    def without(self, place: str) -> Iterator[None]:
        self.removed = place
        try:
            yield
        finally:
            self.removed = None


def methods() -> Iterator[tuple[type[QuerySet[Any]], str]]:
    """Of all querysets of the apps, those that say for whom the rows are to be, and give rows."""
    classes = {
        cls for model in apps.get_models() for cls in type(model._default_manager.all()).__mro__ if _is_ours(cls)
    }
    for cls in classes:
        for name, method in vars(cls).items():
            if callable(method) and not name.startswith("_"):
                described = signature(method)
                gives_rows = "Self" in str(described.return_annotation)
                if gives_rows and FOR_SOMEBODY & described.parameters.keys():
                    yield cls, name


def _is_ours(cls: type) -> bool:
    module = sys.modules[cls.__module__]
    return issubclass(cls, QuerySet) and str(getattr(module, "__file__", "")).startswith(OURS)


def put_in(monkeypatch: pytest.MonkeyPatch) -> Filters:
    filters = Filters()
    for cls, name in methods():
        monkeypatch.setattr(cls, name, filters.wrap(getattr(cls, name)))
    return filters


def _place() -> str:
    """Of the code of ours that calls: file and function, for lines move."""
    frame = sys._getframe(2)
    while not frame.f_code.co_filename.startswith(OURS):
        if frame.f_back is None:
            return "elsewhere"
        frame = frame.f_back
    name = Path(frame.f_code.co_filename).relative_to(CHECKOUT)
    return f"{name} {frame.f_code.co_qualname}"


def places() -> Iterator[str]:
    """Where the code of the apps calls one of them, as it is written."""
    names = {name for _, name in methods()}
    for folder in OURS:
        for path in sorted(Path(folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from _places_in(ast.parse(path.read_text()), names, f"{path.relative_to(CHECKOUT)} ")


def _places_in(node: ast.AST, names: set[str], within: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        inner = within
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            inner = f"{within}{'' if within.endswith(' ') else '.'}{child.name}"
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr in names:
            yield within
        yield from _places_in(child, names, inner)
