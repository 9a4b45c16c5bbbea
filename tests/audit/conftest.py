"""What the tests of the audit may ask for."""

import pytest

from tests.audit.evidence import THEIRS, record_and_seal


@pytest.fixture
def others(db: None) -> None:
    """There is always more than what is attacked."""
    record_and_seal(3, THEIRS)
    record_and_seal(3)
