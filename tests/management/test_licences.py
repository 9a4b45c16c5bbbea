"""What stands in the image may be there: each package's licence is listed, and is one that we may ship."""

import re
from pathlib import Path

from tests.management.licences import CHECKOUT, licences

PAGE = CHECKOUT / "docs" / "licences.md"
# Those that ask for no more than their text, and those that ask for the source of what they cover, unchanged here.
ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "PSF-2.0",
    "Unlicense",
}


def listed(page: Path = PAGE) -> dict[str, str]:
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]+?) \|$", page.read_text(), re.MULTILINE))


def may_be_shipped(expression: str) -> bool:
    """One of the alternatives, with all that it joins."""
    return any(set(alternative.split(" AND ")) <= ALLOWED for alternative in expression.split(" OR "))


def test_every_package_of_the_image_is_listed_with_its_licence() -> None:
    present = licences()
    assert {name: licence for name, licence in listed().items() if name in present} == present
    assert len(present) > 50


def test_nothing_is_listed_that_may_not_be_shipped() -> None:
    assert [name for name, licence in listed().items() if not may_be_shipped(licence)] == []
    assert not may_be_shipped("AGPL-3.0-only")
    assert not may_be_shipped("MIT AND GPL-3.0-only")
    assert may_be_shipped("GPL-2.0-or-later OR MIT")
