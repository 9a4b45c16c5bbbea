"""The pages for strangers, in each language."""

import string

import pytest

from cerply.languages import LANGUAGES, preferred
from certificates import sharing
from certificates.models import Certificate
from certificates.sentences import SENTENCES
from tests.certificates.strangers import Page, path_of
from tests.factories import ACTOR


def test_each_language_has_each_sentence() -> None:
    def placeholders(sentence: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(sentence)} - {None}

    assert SENTENCES.keys() == LANGUAGES.keys()
    for sentences in SENTENCES.values():
        assert sentences.keys() == SENTENCES["en"].keys()
        for key, sentence in sentences.items():
            assert sentence.strip()
            assert placeholders(sentence) == placeholders(SENTENCES["en"][key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_in_each_language(certificate: Certificate, language: str) -> None:
    for page in (
        Page(f"{path_of(certificate)}?lang={language}"),
        Page(path_of(certificate), accept_language=f"xx, {language}-XX;q=0.9, en;q=0.1"),
    ):
        assert page.headline == SENTENCES[language]["headline.valid"]
        assert page.response.headers["Content-Language"] == language
        direction = "rtl" if language == "ar" else "ltr"
        assert ("html", {"lang": language, "dir": direction}) in page.tags
        assert [link for link in page.links() if link.startswith("?lang=")] == [f"?lang={code}" for code in LANGUAGES]
        if language != "en":
            said = set(SENTENCES["en"].values()) - set(SENTENCES[language].values())
            assert not [sentence for sentence in said if len(sentence) > 20 and sentence in page.text]


def test_which_language_is_meant() -> None:
    asked = {"": "en", "pt": "en", "fr-CA,en;q=0.5": "fr", "pt, es-419;q=0.8": "es", "*": "en", "de;q=x": "en"}
    assert {header: preferred(header) for header in asked} == asked
    assert preferred("de," * 5000) == "de"


def test_a_language_that_we_do_not_speak(certificate: Certificate) -> None:
    assert Page(f"{path_of(certificate)}?lang=xx%22%3E").headline == "Valid"


def test_the_languages_keep_the_link(certificate: Certificate) -> None:
    _, secret = sharing.share(certificate, actor=ACTOR)
    assert f"?lang=de&share={secret}" in Page(f"{path_of(certificate)}?share={secret}").links()
