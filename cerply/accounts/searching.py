"""People by the beginnings of words: an index that needs no extension, and the query that it answers."""

from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, Func, Value

# What separates words, as PostgreSQL's regular expressions have it; the odd spaces are those of other scripts.
SPACES = r"\s\u00a0\u2000-\u200a\u202f\u205f\u3000"
SPLIT = f"regexp_split_to_array(lower(%(expressions)s), '[{SPACES}]+')"
SPLIT_FINER = f"regexp_split_to_array(lower(%(expressions)s), '[{SPACES}@._,;:/''’\"()+-]+')"


class OrEmpty(Func):
    template = "COALESCE(%(expressions)s, '')"


class Words(Func):
    """The words of some columns in lower case, whole and between punctuation: ``müller-lüdenscheidt``, ``müller``, ….

    Not PostgreSQL's own parser, which takes e-mail addresses and hyphens apart in ways that nobody foresees.
    The index `users_by_word` holds what is written here: a change needs a new one.
    """

    template = f"array_to_tsvector(array_remove({SPLIT} || {SPLIT_FINER}, ''))"
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()


OF_A_PERSON = Words("name", "email", OrEmpty("external_id"))


class Prefixes(Func):
    """Each word of the text is to be the beginning of one."""

    template = "lower(%(expressions)s)::tsquery"

    def __init__(self, text: str) -> None:
        quoted = (word.replace("\\", "\\\\").replace("'", "''") for word in text.split())
        super().__init__(Value(" & ".join(f"'{word}':*" for word in quoted)))


class Match(Func):
    template = "%(expressions)s"
    arg_joiner = " @@ "
    output_field = BooleanField()


class IsAnyOf(Func):
    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    output_field = BooleanField()
