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
    prompts, groups = len(chosen.offsets) - 1, len(recipe.groups)
    if recipe.token_budget is None:
        return np.ones(len(chosen.word), np.bool_), np.zeros(prompts, np.int64)
    budget = recipe.token_budget - marks.sections
    cost = words.tokens[chosen.word]
    alone = cost <= budget
    sums = offsets_of(np.where(alone, cost, 0))
    sizes = np.bincount(chosen.prompt * groups + chosen.rank, minlength=prompts * groups)
    bounds = offsets_of(sizes)
    spent = sums[bounds]
    counted = offsets_of(alone)[bounds]
    before = _before(np.diff(spent), np.diff(counted), recipe, marks)
    # what a prompt has cost with this unit, in the order of priorities
    used = sums[1:] + np.repeat(before - spent[:-1], sizes)
    fits = alone & (used <= budget)
    most = np.maximum.reduceat(np.append(np.where(fits, used, 0), 0), chosen.offsets[:-1])
    tokens = np.where(np.diff(chosen.offsets) > 0, most, 0)
    return fits, np.where(tokens > 0, tokens + marks.sections, 0)


def _before(
    cost: NDArray[np.int64], units: NDArray[np.int64], recipe: RecipeConfig, marks: Marks
) -> NDArray[np.int64]:
    """What a prompt has cost before the units of each group, its own mark counted.

    `cost` and `units` of each group, prompt by prompt; a mark stands before each group that has
    units but for the first of them.
    """
    groups = len(recipe.groups)
    by_group = np.ascontiguousarray(cost.reshape(-1, groups).T)
    filled = np.ascontiguousarray(units.reshape(-1, groups).T) > 0
    before, spent = np.empty_like(by_group), np.zeros(by_group.shape[1], np.int64)
    begun = np.zeros(by_group.shape[1], np.bool_)
    for group in np.argsort([one.priority for one in recipe.groups]):
        if marks.between:
            spent += marks.between * (filled[group] & begun)
            begun |= filled[group]
        before[group] = spent
        spent += by_group[group]
    return np.ascontiguousarray(before.T).ravel()
