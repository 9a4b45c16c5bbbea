"""The layouts of a certificate: where the words may stand, and what is drawn under them.

Their style sheets are `templates/certificates/<layout>.css`; the numbers here are those of the sheets, in millimetres.
"""

from dataclasses import dataclass

from certificates import ornaments, typesetting
from certificates.models import Layout
from certificates.typesetting import Scale

BAND = 66.0


@dataclass(frozen=True)
class Sheet:
    """The stage is where the words stand: as wide as this, and lower when signatures stand below it."""

    page_height: float
    width: float
    height: float
    signed_height: float
    name: Scale
    title: Scale
    signed_name: Scale
    signed_title: Scale
    # Whether the words keep to the middle of the stage, or begin at its top.
    centred: bool = True

    def stage_height(self, signed: bool) -> float:
        return self.signed_height if signed else self.height


SHEETS = {
    Layout.CLASSIC: Sheet(
        210, 231, 125, 98, typesetting.NAME, typesetting.TITLE, typesetting.NAME[1:], typesetting.TITLE[1:]
    ),
    Layout.MODERN: Sheet(
        210, 189, 128, 106, typesetting.NAME, typesetting.TITLE, typesetting.NAME[1:], typesetting.TITLE[1:]
    ),
    Layout.LETTER: Sheet(
        297,
        160,
        215,
        186,
        typesetting.NAME[2:],
        typesetting.TITLE[2:],
        typesetting.NAME[2:],
        typesetting.TITLE[2:],
        centred=False,
    ),
}


def ornament(layout: Layout, colour: str, *, mirrored: bool) -> bytes:
    """What is drawn under the words, in a colour `#rrggbb`, as PDF operators: an artifact, not a part of the text."""
    rgb = tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    paint = " ".join(f"{channel:.4f}" for channel in rgb)
    match layout:
        case Layout.CLASSIC:
            drawn = f"{paint} RG {ornaments.frame()}"
        case Layout.MODERN:
            left = ornaments.PAGE_WIDTH - BAND if mirrored else 0.0
            faint = " ".join(f"{channel + (1 - channel) * 0.22:.4f}" for channel in rgb)
            edge = left - 2.2 if mirrored else BAND + 1.4
            drawn = (
                f"{paint} rg {left:.2f} 0 {BAND} 210 re f {edge:.2f} 0 0.8 210 re f "
                f"q {left:.2f} 0 {BAND} 210 re W n {faint} RG {ornaments.rosette(left + BAND / 2, 105)} Q"
            )
        case Layout.LETTER:
            drawn = f"{paint} rg 0 0 210 5 re f {paint} RG 0.2 w 25 251 m 185 251 l S"
    height = SHEETS[layout].page_height
    millimetres = f"{72 / 25.4:.6f} 0 0 {-72 / 25.4:.6f} 0 {height * 72 / 25.4:.6f} cm"
    return f"/Artifact BMC q {millimetres} {drawn} Q EMC\n".encode()
