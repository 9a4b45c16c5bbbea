"""Guilloche line work, as on banknotes; computed once per process."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from math import cos, pi, sin, tau

# Millimetres from the top left. Where a curve is after so much of its way: x, y, and its direction as a unit vector.
type Station = tuple[float, float, float, float]
type Curve = Callable[[float], Station]
# A closed line: where it begins, and Bezier segments of two handles and an end.
type Point = tuple[float, float]
type Line = tuple[Point, list[tuple[Point, Point, Point]]]

PAGE_WIDTH, PAGE_HEIGHT = 297.0, 210.0
INSET = 11.5
CORNER = 11.0
SEAL = 22.0


@cache
def frame() -> str:
    """A braid around an A4 page in landscape, and a line within, as PDF operators that stroke them.

    Through an SVG image the same lines would take a quarter of the time of a page, each time.
    """
    width, height = PAGE_WIDTH - 2 * INSET, PAGE_HEIGHT - 2 * INSET
    length = 2 * (width + height) - (8 - tau) * CORNER
    braid = _braid(lambda way: _rounded_rectangle(way, width, height), length, waves=106, amplitude=2.1, strands=4)
    return f"0.16 w {_strokes(braid)} 0.2 w {_rounded_line(17, 17, 263, 176, 5)} s"


@cache
def rosette(x: float, y: float) -> str:
    """Circles of waves about a point, as PDF operators that stroke them."""
    circles = []
    for radius, waves in ((11.0, 12), (22.0, 24), (33.0, 36), (44.0, 48)):
        lines = _braid(lambda way, r=radius: _circle(way, r), tau * radius, waves=waves, amplitude=6.5, strands=6)  # type: ignore[misc]
        circles.append(_strokes(lines))
    moved = f"1 0 0 1 {x - SEAL / 2:.2f} {y - SEAL / 2:.2f} cm"
    return f"q {moved} 0.18 w {' '.join(circles)} Q"


@cache
def seal() -> str:
    """A rosette around the middle of a square of SEAL millimetres, as SVG path data."""
    radius = SEAL / 2 - 1.7
    return " ".join(
        f"M{_numbers(start)}C{' '.join(_numbers(*segment) for segment in segments)}Z"
        for start, segments in _braid(
            lambda way: _circle(way, radius), tau * radius, waves=24, amplitude=1.5, strands=4
        )
    )


def _braid(curve: Curve, length: float, *, waves: int, amplitude: float, strands: int) -> Iterator[Line]:
    """Sine waves about a closed curve, each shifted against the last by an equal part of a wave."""
    for strand in range(strands):
        yield _wave(curve, length / (2 * waves), waves, amplitude, strand / strands)


def _wave(curve: Curve, half: float, waves: int, amplitude: float, shift: float) -> Line:
    """A Bezier segment from each crest to the next trough; handles of 0.3642 of the way make it a sine."""
    reach = 0.3642 * half
    turns = []
    for step in range(2 * waves + 1):
        x, y, dx, dy = curve((step + 2 * shift) * half)
        height = amplitude if step % 2 else -amplitude
        x, y = x - height * dy, y + height * dx
        turns.append(((x - reach * dx, y - reach * dy), (x, y), (x + reach * dx, y + reach * dy)))
    return turns[0][1], [(here[2], there[0], there[1]) for here, there in zip(turns, turns[1:], strict=False)]


def _strokes(lines: Iterable[Line]) -> str:
    """Closed lines as PDF operators."""
    operators = []
    for start, segments in lines:
        operators.append(_numbers(start) + " m")
        operators += [_numbers(*segment) + " c" for segment in segments]
        operators.append("s")
    return "\n".join(operators)


def _rounded_line(x: float, y: float, width: float, height: float, radius: float) -> str:
    """A rectangle with round corners, as PDF operators without the one that paints it."""
    right, bottom, reach = x + width, y + height, 0.4477 * radius
    corners = (
        ((right - reach, y), (right, y + reach), (right, y + radius)),
        ((right, bottom - reach), (right - reach, bottom), (right - radius, bottom)),
        ((x + reach, bottom), (x, bottom - reach), (x, bottom - radius)),
        ((x, y + reach), (x + reach, y), (x + radius, y)),
    )
    sides = ((right - radius, y), (right, bottom - radius), (x + radius, bottom), (x, y + radius))
    drawn = (f"{_numbers(side)} l {_numbers(*corner)} c" for side, corner in zip(sides, corners, strict=True))
    return f"{_numbers((x + radius, y))} m {' '.join(drawn)}"


def _numbers(*points: Point) -> str:
    return " ".join(f"{x:.2f} {y:.2f}" for x, y in points)


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
