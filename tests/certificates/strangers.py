"""The pages for strangers, as a reader meets them."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from cerply import clock
from cerply.accounts.models import User
from certificates.models import Certificate

NAME = "Maya Lindqvist"
SECRET = "She cheated, we think."


class Page(HTMLParser):
    """A page as a reader meets it: its text, its headline, and what its attributes are."""

    def __init__(self, path: str, status: int = 200, by: User | None = None, **headers: str) -> None:
        super().__init__()
        client = Client(headers=headers)
        if by:
            client.force_login(by)
        self.take(client.get(path), status)

    def take(self, response: Any, status: int = 200) -> None:
        assert response.status_code == status
        self.response = response
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def headline(self) -> str:
        [found] = re.findall(r"<h1>(.*?)</h1>", self.response.content.decode())
        return str(found)

    def links(self) -> list[str]:
        return [attributes.get("href") or "" for tag, attributes in self.tags if tag == "a"]


class SentFile(Page):
    def __init__(self, content: bytes, status: int = 200, query: str = "") -> None:
        HTMLParser.__init__(self)
        file = SimpleUploadedFile("file", content)
        self.take(Client(enforce_csrf_checks=True).post(f"/verify{query}", {"file": file}), status)


def path_of(certificate: Certificate) -> str:
    return f"/verify/{certificate.id}"


def ends(**changes: Any) -> None:
    Certificate.objects.update(issued_at=clock.now() - timedelta(days=9), **changes)
