"""What text may be made of, wherever it comes in."""

import unicodedata

from django.core.exceptions import ValidationError

# Controls, half surrogates, separators of lines and paragraphs.
UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# They reorder what follows: with them a name on a certificate reads other than what was signed.
REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# They are letters, marks or symbols, and nobody sees them: fillers, joiners and variation selectors, the empty cell.
INVISIBLE = frozenset(
    map(
        chr,
        [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0]
        + [*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)],
    )
)
LINE_BREAKS = frozenset("\n\r\t")
REFUSED = "Control characters, NUL and direction overrides are not allowed."


def is_printable(text: str, *, multiline: bool = False) -> bool:
    allowed = LINE_BREAKS if multiline else frozenset()
    return all(
        char in allowed or (unicodedata.category(char) not in UNPRINTABLE and char not in REORDERING) for char in text
    )


def is_visible(text: str) -> bool:
    """Whether each character of it can be seen, save plain spaces."""
    return text.isprintable() and INVISIBLE.isdisjoint(text)


def validate_line(text: str) -> None:
    """For the fields of forms."""
    if not is_printable(text):
        raise ValidationError(REFUSED)


def validate_paragraphs(text: str) -> None:
    if not is_printable(text, multiline=True):
        raise ValidationError(REFUSED)
