"""The token budget of a prompt: which of its units are in, and what each costs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.nested import offsets_of
from dataproc_assets.transforms.units import Count, Units, Words
from dataproc_assets.transforms.words import group_mark


class Costs(NamedTuple):
    """What is spent of a budget.

    Attributes:
        budget: tokens of a prompt, those of all marks between `sections` together left out.
        between: tokens of the mark between two groups.
        word: int64, the tokens of each of the words, 0 where it alone is over the budget.
        fits: whether it is not.
    """

    budget: int
    sections: int
    between: int
    word: NDArray[np.int64]
    fits: NDArray[np.bool_]


def costs(words: Words, recipe: RecipeConfig, count: Count) -> Costs | None:
    """What words and marks cost; null for a recipe without a budget."""
    if recipe.token_budget is None:
        return None
    mark, section = group_mark(recipe), recipe.section_separator
    sections = count([section.strip()])[0] * recipe.groups[-1].section if section else 0
    budget = recipe.token_budget - sections
    fits = words.tokens <= budget
    between = count([mark])[0] if mark else 0
    return Costs(budget, sections, between, np.where(fits, words.tokens, 0), fits)


def spend(
    chosen: Units, costs: Costs | None, recipe: RecipeConfig
) -> tuple[NDArray[np.bool_], NDArray[np.int64] | None]:
    """Whether each unit is in (bool), and the tokens of each prompt (int64).

    A unit that alone is over the budget is out and costs nothing; from the first other that does
    not fit on, all are out. The tokens bound those of the whole prompt from above, start and end
    not counted: marks between groups and sections are in them. Without a budget all is in, and
    nothing is counted: the tokens are null.
    """
    if costs is None:
        return np.ones(len(chosen.word), np.bool_), None
    alone = costs.fits.take(chosen.word)
    sums = offsets_of(costs.word.take(chosen.word))
    spent = sums[chosen.bounds]
    counted = offsets_of(alone)[chosen.bounds]
    before = _before(np.diff(spent), np.diff(counted), recipe, costs.between)
    # what a prompt has cost with this unit, in the order of priorities
    used = sums[1:] + np.repeat(before - spent[:-1], np.diff(chosen.bounds))
    fits = alone & (used <= costs.budget)
    most = np.maximum.reduceat(np.append(used * fits, 0), chosen.offsets[:-1])
    tokens = np.where(np.diff(chosen.offsets) > 0, most, 0)
    return fits, np.where(tokens > 0, tokens + costs.sections, 0)


def _before(
    cost: NDArray[np.int64], units: NDArray[np.int64], recipe: RecipeConfig, between: int
) -> NDArray[np.int64]:
    """What a prompt has cost before the units of each group, its own mark counted.

    `cost` and `units` of each group, prompt by prompt; a mark of `between` tokens stands before
    each group that has units but for the first of them.
    """
    groups = len(recipe.groups)
    by_group = np.ascontiguousarray(cost.reshape(-1, groups).T)
    filled = np.ascontiguousarray(units.reshape(-1, groups).T) > 0
    before, spent = np.empty_like(by_group), np.zeros(by_group.shape[1], np.int64)
    begun = np.zeros(by_group.shape[1], np.bool_)
    for group in np.argsort([one.priority for one in recipe.groups]):
        if between:
            spent += between * (filled[group] & begun)
            begun |= filled[group]
        before[group] = spent
        spent += by_group[group]
    return np.ascontiguousarray(before.T).ravel()
