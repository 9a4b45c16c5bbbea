"""Webhooks as staff see them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cerply import clock
from notifications.models import DisabledReason, WebhookDelivery, WebhookEndpoint, WebhookNotice
from notifications.webhooks import endpoints
from tests.console import action_of, events, page_of
from tests.factories import ACTOR, Cast, give_answers
from tests.notifications.webhooks import make_endpoint


@pytest.fixture
def endpoint(cast: Cast) -> WebhookEndpoint:
    """A disabled one, with deliveries and a notice."""
    endpoint, _ = make_endpoint(cast.organization, "https://hooks.example.com/secret-path")
    give_answers(cast.learner, cast.track, 1)
    WebhookDelivery.objects.update(state="dropped", finished_at=clock.now(), error="It answered 500.")
    endpoints.disable(endpoint, DisabledReason.GONE, actor=ACTOR)
    return endpoint


def test_everything_is_there_to_look_at(console: Client, cast: Cast, endpoint: WebhookEndpoint) -> None:
    for model, words in (
        (WebhookEndpoint, ["https://hooks.example.com", "Nordlys Energy", "410 Gone"]),
        (WebhookDelivery, ["Badge awarded", "It answered 500."]),
        (WebhookNotice, [cast.admin.name, "410 Gone"]),
    ):
        shown = console.get(page_of(model, "changelist")).content.decode()
        for each in words:
            assert each in shown
        row = model.objects.get()
        page = console.get(page_of(model, "change", row.pk))
        assert page.status_code == 200
        assert console.post(page_of(model, "change", row.pk), {}).status_code == 403
        for term in (row.pk, endpoint.pk):
            found = console.get(page_of(model, "changelist"), {"q": str(term)})
            assert found.context["cl"].result_count == 1
        assert console.get(page_of(model, "changelist"), {"q": "nobody"}).context["cl"].result_count == 0
    assert console.get(page_of(WebhookEndpoint, "add")).status_code == 403


def test_no_page_shows_a_secret(console: Client, endpoint: WebhookEndpoint) -> None:
    page = console.get(page_of(WebhookEndpoint, "change", endpoint.pk)).content.decode()
    assert "sealed" not in page


def test_filters_find(console: Client, cast: Cast, endpoint: WebhookEndpoint) -> None:
    lists = (
        (WebhookEndpoint, {"organization__id__exact": str(cast.outside.id)}, 0),
        (WebhookEndpoint, {"state__exact": "disabled"}, 1),
        (WebhookDelivery, {"endpoint__id__exact": str(endpoint.id)}, 1),
        (WebhookDelivery, {"organization__id__exact": str(cast.outside.id)}, 0),
        (WebhookDelivery, {"state__exact": "dropped"}, 1),
    )
    for model, query, number in lists:
        found = console.get(page_of(model, "changelist"), query)
        assert found.context["cl"].result_count == number


def test_lists_ask_no_more_for_many_than_for_few(console: Client, cast: Cast, endpoint: WebhookEndpoint) -> None:
    def cost() -> list[int]:
        costs = []
        for model in (WebhookEndpoint, WebhookDelivery, WebhookNotice):
            with CaptureQueriesContext(connection) as queries:
                console.get(page_of(model, "changelist"))
            costs.append(len(queries))
        return costs

    few = cost()
    for _ in range(4):
        other, _ = make_endpoint(cast.organization, "https://hooks.example.com/")
        endpoints.send_test(other.id, actor=ACTOR)
        endpoints.disable(other, DisabledReason.FAILING, actor=ACTOR)
    assert cost() == few


def test_staff_enable_it_and_send_again_what_it_missed(console: Client, endpoint: WebhookEndpoint) -> None:
    row = WebhookDelivery.objects.get()
    refused = console.post(action_of(row, "replay"))
    assert "Enable it first" in refused.content.decode()
    assert console.post(action_of(endpoint, "enable")).status_code == 302
    endpoint.refresh_from_db()
    assert endpoint.is_active
    [event] = events("webhook_enabled")
    assert event.actor_label == "staff"
    page = action_of(endpoint, "replay")
    assert "webhook-id" in console.get(page).content.decode()
    since = clock.now() - timedelta(days=1)
    given = {"since_0": f"{since:%Y-%m-%d}", "since_1": f"{since:%H:%M:%S}"}
    assert console.post(page, given).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.tries) == ("due", 0)
    [event] = events("webhook_replayed")
    assert (event.metadata["number"], event.metadata["alsoTaken"]) == (1, False)
    assert console.post(page, {"since_0": "yesterday", "since_1": ""}).status_code == 200
    assert len(events("webhook_replayed")) == 1


def test_staff_send_one_again(console: Client, endpoint: WebhookEndpoint) -> None:
    endpoints.change(endpoint.id, {"active": True}, actor=ACTOR)
    row = WebhookDelivery.objects.get()
    assert "webhook-id" in console.get(action_of(row, "replay")).content.decode()
    assert console.post(action_of(row, "replay")).status_code == 302
    row.refresh_from_db()
    assert row.state == "due"
    assert "/replay/" not in console.get(page_of(WebhookDelivery, "change", row.pk)).content.decode()


def test_a_deleted_one_stays_to_look_at_and_is_for_nothing_else(console: Client, endpoint: WebhookEndpoint) -> None:
    endpoints.delete(endpoint.id, actor=ACTOR)
    page = console.get(page_of(WebhookEndpoint, "change", endpoint.pk)).content.decode()
    assert "/enable/" not in page
    assert "/replay/" not in page
    assert "There is no such webhook." in console.post(action_of(endpoint, "enable")).content.decode()
