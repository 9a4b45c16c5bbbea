"""The sentences of the pages for strangers, and of what verification says."""

from collections.abc import Mapping

from cerply.languages import DEFAULT
from certificates.sentences import ar, de, en, es, fr, ja

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": en.SENTENCES,
    "de": de.SENTENCES,
    "fr": fr.SENTENCES,
    "es": es.SENTENCES,
    "ar": ar.SENTENCES,
    "ja": ja.SENTENCES,
}


def say(key: str, language: str = DEFAULT, **arguments: str) -> str:
    """One of the sentences, in the language, with its placeholders filled."""
    return SENTENCES[language][key].format(**arguments)
