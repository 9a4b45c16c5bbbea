"""Guilloche line work, as on banknotes; computed once per process."""

from collections.abc import Callable, Iterator
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
def frame() -> bytes:
    """A braid around an A4 page in landscape, as PDF operators that stroke it in the colour of the moment.

    Through an SVG image the same lines would take a quarter of the time of a page, each time.
    """
    width, height = PAGE_WIDTH - 2 * INSET, PAGE_HEIGHT - 2 * INSET
    length = 2 * (width + height) - (8 - tau) * CORNER
    operators = [f"{72 / 25.4:.6f} 0 0 {-72 / 25.4:.6f} 0 {PAGE_HEIGHT * 72 / 25.4:.6f} cm 0.16 w"]
    for start, segments in _braid(
        lambda way: _rounded_rectangle(way, width, height), length, waves=106, amplitude=2.1, strands=4
    ):
        operators.append(_numbers(start) + " m")
        operators += [_numbers(*segment) + " c" for segment in segments]
        operators.append("s")
    return "\n".join(operators).encode()


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
