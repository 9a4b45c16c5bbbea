"""A badge as a picture: a medal with the badge's name, drawn from outlines, so that no viewer needs a font."""

from functools import cache, lru_cache
from xml.sax.saxutils import escape

import resvg_py
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont

from certificates.ornaments import SEAL, seal
from certificates.typesetting import DISPLAY_FONT, clean

SIZE = 512
# Deep enough for white letters to be read on.
COLOURS = ("#1f4e79", "#7a3e1d", "#2f5d3a", "#6b2d5c", "#7a1f2b", "#3b3f8f", "#0f5c5c", "#5c4a0f")
# Of the medal's face: where letters may stand, and how large.
CENTRE = 232.0
WIDEST = 260.0
SIZES = (56.0, 46.0, 38.0, 31.0, 26.0)
MOST_LINES = 3
STAR = "M256 150l24 52 57 7-42 39 11 56-50-28-50 28 11-56-42-39 57-7z"


@lru_cache(maxsize=64)
def svg(name: str, number: int) -> str:
    """An SVG document; ``number`` chooses the colour. A name in a script that the face lacks is a star instead."""
    colour = COLOURS[number % len(COLOURS)]
    # What is not assigned to a character may not stand in XML.
    title = "".join(char for char in clean(name) if char.isprintable())
    letters = _letters(title) or f'<path d="{STAR}"/>'
    scale = 440 / SEAL
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}" height="{SIZE}">'
        f"<title>{escape(title)}</title>"
        f'<path d="M150 380l-40 122 66-22 40 26 30-110z M362 380l40 122-66-22-40 26-30-110z" fill="{colour}"/>'
        f'<circle cx="256" cy="{CENTRE}" r="222" fill="#fff"/>'
        f'<g transform="translate(36 {CENTRE - 220}) scale({scale})" fill="none" stroke="{colour}" stroke-width="0.2">'
        f'<path d="{seal()}"/></g>'
        f'<circle cx="256" cy="{CENTRE}" r="158" fill="{colour}"/>'
        f'<circle cx="256" cy="{CENTRE}" r="148" fill="none" stroke="#fff" stroke-width="2"/>'
        f'<g fill="#fff">{letters}</g></svg>'
    )


def png(document: str) -> bytes:
    """The picture of an SVG document of ours. It has no text, so that no font is looked for."""
    picture: bytes = resvg_py.svg_to_bytes(svg_string=document, skip_system_fonts=True)
    return bytes(picture)


def _letters(text: str) -> str:
    """The words as outlines, as large as they fit in a few lines; empty where a glyph is missing."""
    font, advances = _face()
    if not text or any(ord(char) not in advances for char in text):
        return ""
    for size in SIZES:
        lines = _wrap(text, WIDEST / size)
        if len(lines) <= MOST_LINES and all(_width(line) * size <= WIDEST for line in lines):
            break
    else:
        return ""
    first = CENTRE + size * 0.3 - (len(lines) - 1) * size * 0.55
    glyphs, cmap, em = font.getGlyphSet(), font.getBestCmap(), font["head"].unitsPerEm
    paths = []
    for row, line in enumerate(lines):
        x, y = 256 - _width(line) * size / 2, first + row * size * 1.1
        for char in line:
            pen = SVGPathPen(glyphs, ntos=lambda value: f"{value:.1f}".rstrip("0").rstrip("."))
            glyphs[cmap[ord(char)]].draw(TransformPen(pen, (size / em, 0, 0, -size / em, x, y)))
            paths.append(pen.getCommands())
            x += advances[ord(char)] * size
    return f'<path d="{"".join(paths)}"/>'


def _wrap(text: str, measure: float) -> list[str]:
    """Greedily, in lines of so many ems."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer) <= measure:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _width(text: str) -> float:
    """In ems."""
    advances = _face()[1]
    return sum(advances[ord(char)] for char in text)


@cache
def _face() -> tuple[TTFont, dict[int, float]]:
    font = TTFont(DISPLAY_FONT)
    em, metrics = font["head"].unitsPerEm, font["hmtx"]
    return font, {code: metrics[glyph][0] / em for code, glyph in font.getBestCmap().items()}
