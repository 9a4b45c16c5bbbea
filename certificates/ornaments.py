"""Guilloche line work, as on banknotes: SVG path data in millimetres, drawn once per process."""

from collections.abc import Callable
from functools import cache
from math import cos, pi, sin, tau

# Where a curve is after so many millimetres: x, y and the direction it is going in, as a unit vector.
type Station = tuple[float, float, float, float]
type Curve = Callable[[float], Station]

PAGE_WIDTH, PAGE_HEIGHT = 297.0, 210.0
INSET = 11.5
CORNER = 11.0
SEAL = 22.0


@cache
def frame() -> str:
    """A braid around the page, in the coordinates of an A4 page in landscape."""
    width, height = PAGE_WIDTH - 2 * INSET, PAGE_HEIGHT - 2 * INSET
    length = 2 * (width + height) - (8 - tau) * CORNER
    return _braid(lambda way: _rounded_rectangle(way, width, height), length, waves=106, amplitude=2.1, strands=4)


@cache
def seal() -> str:
    """A rosette around the middle of a square of SEAL millimetres."""
    radius = SEAL / 2 - 1.7
    return _braid(lambda way: _circle(way, radius), tau * radius, waves=24, amplitude=1.5, strands=4)


def _braid(curve: Curve, length: float, *, waves: int, amplitude: float, strands: int) -> str:
    """Sine waves about a closed curve, each shifted against the last by an equal part of a wave."""
    return "".join(_wave(curve, length / (2 * waves), waves, amplitude, strand / strands) for strand in range(strands))


def _wave(curve: Curve, half: float, waves: int, amplitude: float, shift: float) -> str:
    """One Bezier segment from each crest to the next trough: handles of 0.3642 of the way make it a sine."""
    reach = 0.3642 * half
    path = []
    for step in range(2 * waves + 1):
        x, y, dx, dy = curve((step + 2 * shift) * half)
        height = amplitude if step % 2 else -amplitude
        x, y = x - height * dy, y + height * dx
        if step:
            path.append(f"S{x - reach * dx:.2f} {y - reach * dy:.2f} {x:.2f} {y:.2f}")
        else:
            path.append(f"M{x:.2f} {y:.2f}C{x + reach * dx:.2f} {y + reach * dy:.2f}")
    # The first segment needs both of its handles: C takes the coordinates of the S that follows.
    path[0] += path.pop(1).replace("S", " ")
    return "".join(path) + "Z"


def _circle(way: float, radius: float) -> Station:
    angle = way / radius
    return SEAL / 2 + radius * cos(angle), SEAL / 2 + radius * sin(angle), -sin(angle), cos(angle)


def _rounded_rectangle(way: float, width: float, height: float) -> Station:
    """Clockwise from the end of the top left corner."""
    across, down, arc = width - 2 * CORNER, height - 2 * CORNER, pi / 2 * CORNER
    left, top, right, bottom = INSET, INSET, INSET + width, INSET + height
    way %= 2 * (across + down) + 4 * arc
    # Each side with the corner after it: where it begins, its direction, its length, the corner's centre.
    for x, y, dx, dy, side, centre_x, centre_y in (
        (left + CORNER, top, 1, 0, across, right - CORNER, top + CORNER),
        (right, top + CORNER, 0, 1, down, right - CORNER, bottom - CORNER),
        (right - CORNER, bottom, -1, 0, across, left + CORNER, bottom - CORNER),
        (left, bottom - CORNER, 0, -1, down, left + CORNER, top + CORNER),
    ):
        if way <= side:
            return x + way * dx, y + way * dy, dx, dy
        way -= side
        if way <= arc:
            turn = way / CORNER
            going_x, going_y = dx * cos(turn) - dy * sin(turn), dy * cos(turn) + dx * sin(turn)
            return centre_x + CORNER * going_y, centre_y - CORNER * going_x, going_x, going_y
        way -= arc
    # Only rounding gets here.
    return left + CORNER, top, 1, 0
