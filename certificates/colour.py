"""An organization's colour, made dark enough to be read on white (WCAG 2.2, relative luminance and contrast)."""

import re

NEUTRAL = "#33475b"
READABLE = 4.5


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two `#rrggbb` colours, 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = _linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def readable(colour: str) -> str:
    """The colour itself when it contrasts with white, else the same hue darkened until it does; neutral for no hue.

    Luminance is linear in linear light, so the factor needs no search.
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        return NEUTRAL
    if contrast(colour, "#ffffff") >= READABLE:
        return colour.lower()
    channels = _linear(colour)
    if max(channels) - min(channels) < 0.05:
        return NEUTRAL
    factor = (1.05 / READABLE - 0.05) / luminance(colour)
    return "#" + "".join(f"{_encoded(channel * factor):02x}" for channel in channels)


def _linear(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _decoded(red), _decoded(green), _decoded(blue)


def _decoded(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _encoded(channel: float) -> int:
    # Rounded down, so that rounding never costs contrast.
    return int(255 * (channel * 12.92 if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055))
