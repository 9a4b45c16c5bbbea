"""A service at an HTTPS address, and those who verify what it issues."""

import os
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.acceptance.conftest import free_port
from tests.interop.serving import Website, serve
from tests.interop.verifiers import DigitalBazaar, OpenBadgesLib, Verifier, VerifierCore, missing
from tests.processes import environment

LEFT_OUT = "The verifiers on Node.js were left out"
ON_NODE: dict[str, type[DigitalBazaar | VerifierCore]] = {each.name: each for each in (DigitalBazaar, VerifierCore)}


@pytest.fixture(scope="session")
def running_website(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    with serve(free_port(), tmp_path_factory.mktemp("website"), environment()) as website:
        yield website


@pytest.fixture
def website(running_website: Website, transactional_db: None, settings: Settings) -> Website:
    """Issuers that are made in this process are known under the address of the one that serves their documents."""
    settings.PUBLIC_URL = settings.ISSUER_URL = running_website.url
    settings.ISSUER_HOST = running_website.host
    settings.MEDIA_ROOT = running_website.media
    return running_website


@pytest.fixture(scope="session")
def node() -> None:
    """Node's packages. Where CHECKERS=required, as in CI, it is an error that they are missing."""
    reason = missing()
    if reason and os.environ.get("CHECKERS") == "required":
        pytest.fail(reason)
    if reason:
        pytest.skip(f"{LEFT_OUT}: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line, also without ``-rs``."""
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()) if report.longrepr]
    left_out = [reason.removeprefix("Skipped: ") for reason in reasons if LEFT_OUT in reason]
    if left_out:
        terminalreporter.write_line(f"Not run in tests/interop: {len(left_out)}. {left_out[0]}.", yellow=True)


@pytest.fixture(params=[*ON_NODE, OpenBadgesLib.name])
def verifier(request: pytest.FixtureRequest) -> Verifier:
    """Each of the three in turn."""
    website = request.getfixturevalue("website")
    if request.param == OpenBadgesLib.name:
        return OpenBadgesLib(website)
    request.getfixturevalue("node")
    return ON_NODE[request.param](website)
