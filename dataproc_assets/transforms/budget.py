"""The token budget of a prompt: which of its units are in, and what each costs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.nested import offsets_of
from dataproc_assets.transforms.units import Count, Units, Words
from dataproc_assets.transforms.words import group_mark


class Marks(NamedTuple):
    """Tokens of the mark between two groups, and of all marks between sections together."""

    between: int
    sections: int


def mark_tokens(recipe: RecipeConfig, count: Count) -> Marks:
    """What a recipe's marks cost beside its units; nothing where it has no budget."""
    mark, section = group_mark(recipe), recipe.section_separator
    if recipe.token_budget is None:
        return Marks(0, 0)
    sections = count([section.strip()])[0] * recipe.groups[-1].section if section else 0
    return Marks(count([mark])[0] if mark else 0, sections)


def spend(
    chosen: Units, words: Words, recipe: RecipeConfig, marks: Marks
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each unit is in (bool), and the tokens of each prompt (int64).

    A unit that alone is over the budget is out and costs nothing; from the first other that does
    not fit on, all are out. The tokens bound those of the whole prompt from above, start and end
    not counted: marks between groups and sections are in them. Without a budget all is in, and
    nothing is counted.
    """
    prompts = len(chosen.offsets) - 1
    if recipe.token_budget is None:
        return np.ones(len(chosen.word), np.bool_), np.zeros(prompts, np.int64)
    budget = recipe.token_budget - marks.sections
    cost = words.tokens[chosen.word]
    alone = cost <= budget
    if marks.between:
        cost = cost + marks.between * _opens(chosen, alone)
    cost = np.where(alone, cost, 0)
    sums = offsets_of(cost)
    sizes = np.diff(chosen.offsets)
    before = np.repeat(sums[chosen.offsets[:-1]], sizes)
    fits = alone & (sums[1:] - before <= budget)
    spent = offsets_of(np.where(fits, cost, 0))
    tokens = spent[chosen.offsets[1:]] - spent[chosen.offsets[:-1]]
    return fits, np.where(tokens > 0, tokens + marks.sections, 0)


def _opens(chosen: Units, alone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a unit opens a group of its prompt other than the first that is opened."""
    places = np.flatnonzero(alone)
    rank = chosen.rank[places]
    sums = offsets_of(alone)
    starts = np.zeros(len(places) + 1, np.bool_)
    starts[sums[chosen.offsets]] = True
    changes = np.empty(len(places), np.bool_)
    changes[:1] = False
    changes[1:] = rank[1:] != rank[:-1]
    opens = np.zeros(len(alone), np.bool_)
    opens[places] = changes & ~starts[:-1]
    return opens
