"""What e-mails to managers say, in each language, and the page on which they unsubscribe."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from babel import Locale

from cerply.languages import DEFAULT, direction
from notifications.sentences import ar, de, en, es, fr, ja

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": en.SENTENCES,
    "de": de.SENTENCES,
    "fr": fr.SENTENCES,
    "es": es.SENTENCES,
    "ar": ar.SENTENCES,
    "ja": ja.SENTENCES,
}
# By the plural categories of CLDR; "other" stands for those that a language does not tell apart here.
PLURALS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "en": en.PLURALS,
    "de": de.PLURALS,
    "fr": fr.PLURALS,
    "es": es.PLURALS,
    "ar": ar.PLURALS,
    "ja": ja.PLURALS,
}


# First strong isolate, and its end (UAX 9).
ISOLATED = "\u2068{}\u2069"


def say(key: str, language: str = DEFAULT, **arguments: Any) -> str:
    """One of the sentences, in the language, with its placeholders filled.

    What runs in the other direction than the sentence is isolated, so that it does not turn what is around it.
    """
    runs_left = direction(language) == "rtl"
    given = {
        name: ISOLATED.format(value) if runs_left or _has_letters_that_run_left(str(value)) else value
        for name, value in arguments.items()
    }
    return SENTENCES[language][key].format(**given)


def _has_letters_that_run_left(text: str) -> bool:
    return any(unicodedata.bidirectional(char) in {"R", "AL"} for char in text)


def count(key: str, number: int, language: str = DEFAULT) -> str:
    """One that says how many, in the form that the number asks for."""
    forms = PLURALS[language][key]
    form = forms.get(Locale(language).plural_form(number), forms["other"])
    return form.format(n=number)
