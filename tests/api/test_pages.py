"""What a browser meets outside of the API: a start, addresses that people type, and what pages may run."""

import pytest
from django.test import Client
from django.urls import reverse


@pytest.mark.django_db
def test_there_is_a_start() -> None:
    page = Client().get("/")
    assert page.status_code == 200
    assert reverse("docs") in page.content.decode()
    assert Client().get("/admin").headers["Location"] == "/admin/"
    assert Client().get("/favicon.ico").headers["Location"] == "/static/cerply/favicon.svg"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/password/changed", "/password/x/y", "/api/version", "/nowhere"])
def test_no_public_page_runs_or_loads_anything_but_its_style(path: str) -> None:
    answer = Client().get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert "<style" not in answer.content.decode()
    assert " style=" not in answer.content.decode()


def test_the_admin_runs_its_own_files_alone(console: Client) -> None:
    for path in ("/admin/", "/admin/accounts/user/add/"):
        page = console.get(path)
        assert "script-src 'self' 'unsafe-eval';" in page.headers["Content-Security-Policy"] + ";"
        scripts = page.content.decode().split("<script")[1:]
        assert all(" src=" in script.split(">")[0] or "application/json" in script.split(">")[0] for script in scripts)


@pytest.mark.django_db
def test_the_page_of_the_api_runs_its_script_by_a_nonce() -> None:
    page = Client().get(reverse("docs"))
    nonce = page.content.decode().partition('nonce="')[2].partition('"')[0]
    assert nonce
    assert f"'nonce-{nonce}'" in page.headers["Content-Security-Policy"]
