"""What pages and documents for strangers say, in each language that we speak: closed sets of sentences."""

from django.utils.translation.trans_real import parse_accept_lang_header

# In their own words.
LANGUAGES = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "ar": "العربية",
    "ja": "日本語",
}
DEFAULT = "en"
RIGHT_TO_LEFT = frozenset({"ar"})


def direction(language: str) -> str:
    """For the attribute ``dir``."""
    return "rtl" if language in RIGHT_TO_LEFT else "ltr"


def language_of(locale: str) -> str:
    """Of our languages the one of this locale (a BCP 47 tag): English where we have not hers."""
    primary = locale.replace("_", "-").partition("-")[0].lower()
    return primary if primary in LANGUAGES else DEFAULT


def preferred(accept_language: str) -> str:
    """The first of our languages that an ``Accept-Language`` header asks for, whatever the region."""
    for wanted, _quality in parse_accept_lang_header(accept_language[:500]):
        language = wanted.partition("-")[0]
        if language in LANGUAGES:
            return language
    return DEFAULT
