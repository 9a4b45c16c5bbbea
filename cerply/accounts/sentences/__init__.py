"""What the pages say on which one signs in and out, and every page behind them, in each language."""

from collections.abc import Mapping

from cerply.accounts.sentences import ar, de, en, es, fr, ja

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": en.SENTENCES,
    "de": de.SENTENCES,
    "fr": fr.SENTENCES,
    "es": es.SENTENCES,
    "ar": ar.SENTENCES,
    "ja": ja.SENTENCES,
}
