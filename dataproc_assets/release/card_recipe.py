"""What a dataset card says of a recipe: its order in words, and an image's prompt."""

import polars as pl

from dataproc_assets.config.recipes import DropoutConfig, GroupConfig, RecipeConfig

LISTED = 3  # tags of a group that are named
SAYS = {
    "rating": "the rating",
    "quality": "the quality",
    "year": "the year",
    "period": "the period",
    "caption": "the caption",
}


def recipe_section(name: str, recipe: RecipeConfig | None, train: pl.DataFrame) -> str:
    """Markdown with the recipe's order, sections, budget and dropout, and an example.

    The example is the first prompt of the first image, of those with the mildest rating.
    """
    title = f"### `{name}`" + (f": {recipe.title}" if recipe else "")
    said = [title, *(_told(recipe) if recipe else [])]
    mildest = pl.col("rating").replace_strict({"general": 0, "sensitive": 1}, default=2)
    first = train.sort(mildest, "image_id").head(1)[f"prompts__{name}"]
    for prompts in first:
        said += ["Such as:", "\n".join(f"    {line}" for line in prompts[0].splitlines())]
    return "\n\n".join(said)


def _told(recipe: RecipeConfig) -> list[str]:
    sections: dict[int, list[str]] = {}
    for group in recipe.groups:
        sections.setdefault(group.section, []).append(_group(group))
    order = f" {_quoted(recipe.section_separator)} ".join(
        ", ".join(groups) for groups in sections.values()
    )
    budget = f"at most {recipe.token_budget} CLIP tokens" if recipe.token_budget else "any length"
    prompts = "one prompt" if recipe.variants == 1 else f"{recipe.variants} prompts"
    marks = f"Units of a group are parted by {_quoted(recipe.separator)}"
    if recipe.group_separator != recipe.separator:
        marks += f", groups by {_quoted(recipe.group_separator)}"
    told = [f"In this order: {order}.", f"{marks}. Each image has {prompts} of {budget}."]
    if recipe.dropout:
        rules = "; ".join(_dropout(rule) for rule in recipe.dropout)
        told.append(f"Tags that are not protected are dropped at random: {rules}.")
    return told


def _group(group: GroupConfig) -> str:
    if group.kind != "tags":
        return SAYS[group.kind]
    listed = ", ".join(f"`{tag}`" for tag in group.tags[:LISTED])
    more = ", …" if len(group.tags) > LISTED else ""
    parts = [f"tags such as {listed}{more}"] if listed else []
    if group.categories:
        parts.append(f"{' and '.join(group.categories)} tags")
    return " with ".join(parts)


def _dropout(rule: DropoutConfig) -> str:
    if rule.keep_max is not None:
        kept = f"at most {rule.keep_max}"
    else:
        kept = f"{rule.keep_share:.0%}, and at least {rule.keep_min},"
    return f"{rule.share:.0%} of the prompts keep {kept} of them"


def _quoted(mark: str | None) -> str:
    return f"`{mark}`"
