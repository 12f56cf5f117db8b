"""Laying one thumbnail on another whose picture was cut a little at its edges."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

CELL = 16
"""Steps of a shift in one cell of the full grid."""

LEVEL = 16
"""Steps of one level of brightness in what `lay` gives."""

_PHASES = 64
_WEIGHT = 2 * _PHASES**3


class Shift(NamedTuple):
    """How much of each edge one picture has and the other has not, in 1/`CELL` of a cell.

    A positive number is cut off the first picture, a negative one off the second.
    """

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0


NONE = Shift()
# One edge, or both of an axis: cut, moved within the frame, made larger.
_MOVES = (
    Shift(left=1),
    Shift(right=1),
    Shift(top=1),
    Shift(bottom=1),
    Shift(left=1, right=-1),
    Shift(top=1, bottom=-1),
    Shift(left=1, right=1),
    Shift(top=1, bottom=1),
)


def register(first: np.ndarray, second: np.ndarray, reach: int) -> Shift:
    """The shift that fits two grey thumbnails best, no edge beyond `reach`.

    Descends from no shift, first on half the grid, by ever smaller steps. Integers (n, n), n
    even.
    """
    shift = _descend(_halved(first), _halved(second), NONE, (CELL, CELL // 2), 2 * CELL, reach)
    steps = tuple(CELL >> halvings for halvings in range(1, CELL.bit_length()))
    return _descend(first, second, shift, steps, CELL, reach)


def lay(
    first: np.ndarray, second: np.ndarray, shift: Shift, cell: int = CELL
) -> tuple[np.ndarray, np.ndarray]:
    """Both pictures' common part on their whole grid, in 1/`LEVEL` of a level, exact float64.

    `cell` is the number of the shift's steps in one cell of this grid. Weights and pixels are
    integers and their sums stay below 2**53, so every BLAS gives the same.
    """
    if shift == NONE:
        return first * float(LEVEL), second * float(LEVEL)
    return _cut(first, shift, cell), _cut(second, Shift(*(-edge for edge in shift)), cell)


def _cut(image: np.ndarray, shift: Shift, cell: int) -> np.ndarray:
    side = len(image)
    left, right, top, bottom = (max(edge, 0) for edge in shift)
    rows, columns = _weights(top, bottom, side, cell), _weights(left, right, side, cell)
    summed = rows @ image.astype(np.float64) @ columns.T
    return np.rint(summed * (LEVEL / _WEIGHT**2))


@lru_cache(maxsize=2048)
def _weights(low: int, high: int, side: int, cell: int) -> np.ndarray:
    """Catmull-Rom weights times `_WEIGHT`, (side, side): rows spread over what the cuts leave."""
    whole = side * cell
    centres = (2 * np.arange(side) + 1) * (whole - low - high)
    # In 1/_PHASES of a cell, from the centre of the first one, rounded.
    places = _PHASES * (2 * side * low + centres - whole)
    places = (places + whole) // (2 * whole)
    cells, t = np.divmod(places, _PHASES)
    one, two, three = t * _PHASES**2, t**2 * _PHASES, t**3
    taps = (
        -one + 2 * two - three,
        _WEIGHT - 5 * two + 3 * three,
        one + 4 * two - 3 * three,
        three - two,
    )
    weights = np.zeros((side, side))
    for offset, tap in enumerate(taps, start=-1):
        np.add.at(weights, (np.arange(side), np.clip(cells + offset, 0, side - 1)), tap)
    weights.setflags(write=False)
    return weights


def _descend(
    first: np.ndarray,
    second: np.ndarray,
    shift: Shift,
    steps: tuple[int, ...],
    cell: int,
    reach: int,
) -> Shift:
    best = _misfit(first, second, shift, cell)
    for step in steps:
        moved = True
        while moved:
            moved = False
            for move in _MOVES:
                for signed in (step, -step):
                    edges = (e + signed * m for e, m in zip(shift, move, strict=True))
                    tried = Shift(*(min(max(edge, -reach), reach) for edge in edges))
                    misfit = _misfit(first, second, tried, cell)
                    # Ends: the misfit falls with every move, and is a whole number.
                    if misfit < best:
                        best, shift, moved = misfit, tried, True
    return shift


def _misfit(first: np.ndarray, second: np.ndarray, shift: Shift, cell: int) -> int:
    left, right = lay(first, second, shift, cell)
    return int(np.square(left - right).sum())


def _halved(image: np.ndarray) -> np.ndarray:
    return image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]
