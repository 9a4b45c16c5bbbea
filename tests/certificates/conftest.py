"""What tests of certificates may ask for."""

import json
from typing import Any

import pytest

from certificates.models import Certificate
from tests.factories import Cast, complete


@pytest.fixture
def certificate(cast: Cast) -> Certificate:
    return complete(cast.learner, cast.track).certificates[0]


@pytest.fixture
def document(certificate: Certificate) -> dict[str, Any]:
    return dict(json.loads(certificate.credential.document))
