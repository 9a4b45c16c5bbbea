"""Alerts and dashboard: each alert fires for what it is there for, is in the runbook, and names what there is."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml
from django.conf import settings
from django.test import Client

from audit import rounds
from certificates.models import Certificate
from tests.factories import complete, make_cast, make_token
from tests.management.watching import eventually
from tests.ops.serving import METRICS_TOKEN, free_port, server

ROOT = Path(settings.BASE_DIR)
RULES = ROOT / "ops/alerts/cerply.yml"
TESTS = Path(__file__).parent / "alerts.yml"
DASHBOARD = ROOT / "ops/dashboards/cerply.json"
METRIC = re.compile(r"\bcerply_[a-z_]+")


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    return dict(json.loads(DASHBOARD.read_text()))


def queries() -> list[str]:
    """Of the dashboard."""
    panels = [panel for row in dashboard()["panels"] for panel in (row, *row.get("panels", ()))]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def needed(program: str) -> str:
    if shutil.which(program) is None and os.environ.get("CHECKERS") != "required":
        pytest.skip(f"{program} is not installed")
    return program


def promtool(*arguments: str) -> None:
    done = subprocess.run([needed("promtool"), *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_do_what_their_tests_say() -> None:
    promtool("check", "rules", str(RULES))
    promtool("test", "rules", str(TESTS))


def test_every_alert_is_tested_to_fire_and_to_be_silent() -> None:
    tested = {test["name"] for test in yaml.safe_load(TESTS.read_text())["tests"]}
    names = [alert["alert"] for alert in alerts()]
    assert tested == {f"{name} {how}" for name in names for how in ("fires", "is silent")}


def test_every_alert_leads_to_its_heading_in_the_runbook() -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for alert in alerts():
        page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert page == "docs/runbook.md"
        assert anchor == alert["alert"].lower()
        assert anchor in anchors


@pytest.mark.django_db
def test_alerts_and_dashboard_name_what_is_told(client: Client) -> None:
    client.get("/api/health/ready")
    rounds.go_on()
    told = set(METRIC.findall(client.get("/metrics").content.decode()))
    named = set(METRIC.findall("\n".join([alert["expr"] for alert in alerts()] + queries())))
    assert len(named) > 15
    assert named <= told


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """As far as its published schema goes: ids, places that do not overlap, known kinds of panels, one data source."""
    board = dashboard()
    assert {"title", "uid", "panels", "schemaVersion", "templating", "time"} <= board.keys()
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["type"] in {"row", "timeseries", "stat", "table", "bargauge"}
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["title"]
            assert panel["description"]
            assert [target["refId"] for target in panel["targets"]] == sorted({t["refId"] for t in panel["targets"]})


# -- once for real --


class Prometheus:
    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, route: str, **parameters: str) -> Any:
        with urlopen(f"{self.address}/{route}?{urlencode(parameters)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, query: str) -> float:
        result = self.ask("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def alert(self, name: str) -> dict[str, Any] | None:
        found = [alert for alert in self.ask("alerts")["alerts"] if alert["labels"]["alertname"] == name]
        return found[0] if found else None

    def is_there(self) -> bool:
        try:
            return bool(self.value('up{job="cerply"}') == 1)
        except OSError:
            return False


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Prometheus]:
    """With our rules, as they are, looking each second at the server of this port."""
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {
                "job_name": "cerply",
                "authorization": {"credentials": METRICS_TOKEN},
                "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                needed("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    watching = Prometheus(port)
    try:
        eventually(watching.is_there, 60)
        yield watching
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_server_that_is_made_to_fail_is_told_of(tmp_path: Path) -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    headers = {"Authorization": f"Bearer {make_token(cast.learner)}"}
    path = f"/api/certificates/{certificate.id}/download"
    failures = 'sum(cerply_http_requests_total{status="500"})'
    with server(tmp_path) as serving, prometheus(tmp_path, serving.port) as watching:
        assert serving.get(path, **headers)[0] == 200
        eventually(lambda: watching.value("cerply_certificate_downloads_total{outcome='served'}") == 1)
        eventually(lambda: watching.alert("CerplyWorkerSilent"))
        assert watching.alert("CerplyDownloadsFail") is None
        assert watching.alert("CerplyErrors") is None

        Certificate.objects.update(pdf="", logo=".")  # a folder
        for _ in range(7):
            assert serving.get(path, **headers)[0] == 500
        eventually(lambda: (watching.alert("CerplyDownloadsFail") or {}).get("state") == "firing")
        told = watching.alert("CerplyDownloadsFail") or {}
        summary = re.fullmatch(
            r"About (\d+) downloads of certificates failed within an hour\.", told["annotations"]["summary"]
        )
        # Prometheus goes on in a straight line from the last sample to now, a scrape later at most.
        assert summary
        assert 7 <= int(summary[1]) <= 15
        assert told["annotations"]["runbook_url"] == "docs/runbook.md#cerplydownloadsfail"
        assert watching.value(failures) == 7
        # It is told of once it lasts.
        eventually(lambda: watching.alert("CerplyErrors"))
        errors = watching.alert("CerplyErrors") or {}
        assert errors["state"] == "pending"
        assert errors["labels"]["route"] == "/api/certificates/{certificate_id}/download"
        # What the dashboard asks is what can be asked.
        for query in queries():
            watching.ask("query", query=query.replace("$__rate_interval", "1m"))
