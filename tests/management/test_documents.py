"""What documents and files for deployment tell people and machines to run is there."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

CHECKOUT = Path(__file__).resolve().parents[2]
NAMED = ("README.md", "docs/*.md", "Dockerfile", "*.yaml", "scripts/*.sh", ".github/workflows/*.yml")
# Up to what ends it in prose, in a table, in a script or in a list of words.
COMMAND = re.compile(r'manage\.py(?:", "| )([a-z_]+)([^`\n|;#()]*)')
OPTION = re.compile(r"--[a-z][a-z-]*")


def commands() -> list[tuple[str, str, str]]:
    paths = sorted(path for pattern in NAMED for path in CHECKOUT.glob(pattern))
    texts = {str(path.relative_to(CHECKOUT)): path.read_text() for path in paths}
    return [(where, name, rest) for where, text in texts.items() for name, rest in COMMAND.findall(text)]


def test_there_are_some() -> None:
    assert {"README.md", "docs/runbook.md", "compose.yaml", "render.yaml"} <= {where for where, _, _ in commands()}


@pytest.mark.parametrize(("where", "name", "rest"), sorted(set(commands())))
def test_a_command_that_is_named_is_there_with_its_options(where: str, name: str, rest: str) -> None:
    app = get_commands().get(name)
    assert app, f"{where} names manage.py {name}, which is not there."
    command = app if isinstance(app, BaseCommand) else load_command_class(app, name)
    known = command.create_parser("manage.py", name)._option_string_actions
    assert set(OPTION.findall(rest)) <= known.keys(), where


def test_a_place_in_the_runbook_that_is_linked_is_there() -> None:
    text = (CHECKOUT / "docs" / "runbook.md").read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    places = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([a-z-]+)\)", text)) <= places
