"""How large a name may be set, and how wide, so that it looks composed and stays on the page."""

import unicodedata
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

from fontTools.ttLib import TTFont

DISPLAY_FONT = Path(__file__).parent / "fonts" / "EBGaramond-Regular.ttf"

# Type sizes in points, each with the number of lines it may take: whichever is chosen, the block is about as high.
type Scale = tuple[tuple[float, int], ...]
NAME: Scale = ((44, 1), (38, 1), (34, 2), (29, 2), (24, 3), (20, 3), (16, 4), (14, 5), (12, 5), (9, 7), (7, 9), (5, 13))
TITLE: Scale = ((27, 1), (24, 1), (22, 2), (19, 2), (15, 3), (13, 3), (11, 4), (10, 4), (9, 5), (7, 6), (5, 9))
ORGANIZATION: Scale = ((12, 1), (10.5, 1), (9.5, 2), (8, 2), (6.5, 3), (5, 4))

# Below this size it is better to break a word than to shrink it further.
SMALLEST_UNBROKEN = 16
# Real names stack up to five marks on a letter (Vietnamese, Hebrew, Tibetan); hundreds would leave the line.
MARKS_ON_A_LETTER = 8
# What changes the direction of others, and the byte order mark, which is no text.
INVISIBLE = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


SCRIPTS = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "ARABIC": "ar",
    "HEBREW": "he",
    "GREEK": "el",
    "DEVANAGARI": "hi",
    "THAI": "th",
}


# What a line may not break within: its width in ems, and whether a space comes before it.
type Piece = tuple[float, bool]


@dataclass(frozen=True)
class Setting:
    text: str
    size: float
    """Points."""
    measure: float
    """The width to wrap in, in points: as narrow as the number of lines allows, so that they come out even."""
    direction: str
    lang: str


def set_text(text: str, scale: Scale, width: float, squeeze: int = 0, language: str = "en") -> Setting:
    """The first size of the scale at which the text takes no more lines than it should; or `squeeze` steps below.

    The language is that of the text unless its letters say otherwise.
    """
    text = clean(text)
    pieces = _pieces(text)
    step = min(_step(pieces, scale, width) + squeeze, len(scale) - 1)
    size = scale[step][0]
    return Setting(text, size, _balanced(pieces, width / size) * size, direction(text), language_of(text, language))


def _step(pieces: list[Piece], scale: Scale, width: float) -> int:
    longest = max((advance for advance, _ in pieces), default=0.0)
    fitting = [step for step, (size, most) in enumerate(scale) if _lines(pieces, width / size) <= most]
    unbroken = (step for step in fitting if longest <= width / scale[step][0] and scale[step][0] >= SMALLEST_UNBROKEN)
    return next(unbroken, fitting[0] if fitting else len(scale) - 1)


def clean(text: str) -> str:
    """The text as it can be printed on one line: composed, without controls, overrides and endless marks.

    What means nothing to anybody else (private use, unassigned) is U+FFFD: no reader could say what it is.
    """
    printable = []
    marks = 0
    for char in unicodedata.normalize("NFC", " ".join(text.split())):
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category in ("Co", "Cn"):
            printable.append("\ufffd")
        elif category not in ("Cc", "Cs") and char not in INVISIBLE and marks <= MARKS_ON_A_LETTER:
            printable.append(char)
    return "".join(printable)


def direction(text: str) -> str:
    """That of the first letter which has one."""
    strong = (unicodedata.bidirectional(char) for char in text)
    return next(("rtl" if kind in ("R", "AL") else "ltr" for kind in strong if kind in ("L", "R", "AL")), "ltr")


def language_of(text: str, language: str) -> str:
    """What its letters tell; else the language that is given, which also decides the shapes of Han characters.

    Kana are Japanese, Hangul is Korean. A script of many languages tells none, unless it cannot be the one given.
    """
    scripts = {unicodedata.name(char, "").partition(" ")[0] for char in text if char.isalpha()}
    for script, told in SCRIPTS.items():
        if script in scripts:
            return told
    if "CJK" in scripts and language.partition("-")[0] not in ("ja", "ko", "zh"):
        return "zh-Hans"
    return language


def initials(name: str) -> str:
    """The first letters of the first two words; of one only, where letters join or fill a square."""
    starts = []
    for word in clean(name).split():
        at = next((at for at, char in enumerate(word) if char.isalnum()), None)
        if at is not None:
            end = next((i for i in range(at + 1, len(word)) if unicodedata.category(word[i])[0] != "M"), len(word))
            starts.append(word[at:end].upper())
    return "".join(starts[: 2 if all(ord(start[0]) in _advances() for start in starts[:2]) else 1])


def _pieces(text: str) -> list[Piece]:
    """Words; of a script that is written without spaces, each character."""
    pieces: list[Piece] = []
    for word in text.split(" "):
        spaced = True
        run = 0.0
        for char in word:
            if unicodedata.east_asian_width(char) in "WF":
                pieces += [(run, spaced)] * (run > 0) + [(1.0, spaced and run == 0)]
                run, spaced = 0.0, False
            else:
                run += _advance(char)
        pieces += [(run, spaced)] * (run > 0)
    return pieces


def _lines(pieces: list[Piece], measure: float) -> int:
    """How many lines of so many ems: greedily, a piece that is too long broken anywhere."""
    space = _advance(" ")
    lines, used = 1, 0.0
    for width, spaced in pieces:
        gap = space if spaced and used else 0.0
        if used + gap + width <= measure:
            used += gap + width
            continue
        lines += bool(used)
        whole = max(ceil(width / measure) - 1, 0)
        lines, used = lines + whole, width - whole * measure
    return lines


def _balanced(pieces: list[Piece], measure: float) -> float:
    """The narrowest measure with no more lines, with some room for what the estimate misses."""
    most = _lines(pieces, measure)
    if most == 1:
        return measure
    narrow, wide = measure / most / 2, measure
    for _ in range(12):
        middle = (narrow + wide) / 2
        narrow, wide = (narrow, middle) if _lines(pieces, middle) <= most else (middle, wide)
    return min(wide * 1.03 + 0.1, measure)


def _advance(char: str) -> float:
    """The width of a character in ems: measured if the display face has it, else by the habit of its kind."""
    measured = _advances().get(ord(char))
    if measured is not None:
        return measured
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(char) in "WF" else 0.62


@cache
def _advances() -> dict[int, float]:
    with TTFont(DISPLAY_FONT) as font:
        em, metrics = font["head"].unitsPerEm, font["hmtx"]
        return {code: metrics[glyph][0] / em for code, glyph in font.getBestCmap().items()}
