"""Which prompts may be released: the flags of the image and the words of the prompt itself."""

import polars as pl

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.safety.facts import words
from dataproc_assets.safety.flags import DROP_FLAGS, NEVER_FLAGS
from dataproc_assets.safety.matching import joined, tag_says, text_says, text_spelling
from dataproc_assets.safety.never import ADULT_RATINGS
from dataproc_assets.safety.quarantine import emptied
from dataproc_assets.safety.said import in_tags, in_texts

VERDICT_COLUMNS = ("keep", "drop_reason", "drop_reasons")
_IDS = ("image_id", "variant")
_PIECE = "[^,|;\n]+"  # a tag of a prompt, whatever the recipe puts between tags


def verdict(
    prompts: pl.DataFrame, images: pl.DataFrame, flags: pl.DataFrame, config: SafetyConfig
) -> pl.DataFrame:
    """Add `keep` bool, `drop_reason` str|null (the first) and `drop_reasons` list[str] to prompts.

    Args:
        prompts: image_id, variant, prompt, caption, groups and whatever else; every row stays, in
            its place.
        images: image_id, representative, rating, opt_out, ai, title, caption, tags, and where
            there is one `quarantined`.
        flags: image_key and flags of `component_flags`; an image whose representative has no row
            there is dropped as unchecked, and so is a prompt without an image.
        config: words to look for, beside the constants of `never`.

    An image is dropped for each flag of its component, and for what the words say that were made
    of its rows since: its merged tags, which may come from a table of aliases, its title and
    caption; the tags, the caption and the text of the prompt, which a recipe may add words to.
    Of a row that a never rule drops, only the ids and the reasons are left.
    """
    of_image = _of_images(images, flags, config)
    holds = (
        prompts.select("image_id")
        .join(of_image, on="image_id", how="left", maintain_order="left")
        .hstack(_of_prompts(prompts, images, config))
        .lazy()
        .select(found.fill_null(False).alias(reason) for reason, found in _reasons().items())
    )
    reasons = pl.concat_list(
        pl.when(reason).then(pl.lit(reason)) for reason in _reasons()
    ).list.drop_nulls()
    dropped = (  # few are, and a list for each row takes longer than all the rest
        holds.with_row_index("row")
        .filter(pl.any_horizontal(list(_reasons())))
        .select("row", pl.any_horizontal(NEVER_FLAGS).alias("never"), drop_reasons=reasons)
    )
    shown = [name for name in prompts.columns if name not in _IDS]
    return (
        prompts.lazy()
        .with_row_index("row")
        .join(dropped, on="row", how="left", maintain_order="left")
        .with_columns(
            keep=pl.col("drop_reasons").is_null(),
            drop_reason=pl.col("drop_reasons").list.first(),
            drop_reasons=pl.col("drop_reasons").fill_null([]),
        )
        .pipe(emptied, pl.col("never").fill_null(False), shown)
        .select(*prompts.columns, *VERDICT_COLUMNS)
        .collect()
    )


def _reasons() -> dict[str, pl.Expr]:
    """What drops a prompt, in the order of the reasons, of the columns that are gathered below."""
    adult = pl.col("_rating").is_in(ADULT_RATINGS)
    held = pl.col("_quarantined") & ~pl.col("_flags").list.contains("child_tag_in_adult")
    own = {
        "never_tag": pl.col("_never_tag") | pl.col("_image_never_tag") | held,
        "child_tag_in_adult": (pl.col("_child") | pl.col("_image_child")) & adult,
        "opt_out": pl.col("_opt_out"),
        "ai": pl.col("_ai") == "yes",
        "banned_word": pl.col("_banned_word") | pl.col("_image_banned_word"),
    }
    no = pl.lit(False)
    flagged = {
        flag: pl.col("_flags").list.contains(flag).fill_null(False) | own.get(flag, no)
        for flag in DROP_FLAGS
    }
    return {**flagged, "unchecked": pl.col("_flags").is_null()}


def _of_images(images: pl.DataFrame, flags: pl.DataFrame, config: SafetyConfig) -> pl.DataFrame:
    """image_id and what is known of the image, in columns that begin with an underscore."""
    lists = {name: (listed, tag_says) for name, listed in words(config).items()}
    tagged = in_tags(images, ("tags",), lists)
    written = in_texts(images, ("title", "caption"), words(config))
    quarantined = pl.lit(False)
    if "quarantined" in images.columns:
        quarantined = pl.col("quarantined").fill_null(False)
    return (
        images.select(
            "image_id",
            "representative",
            quarantined.alias("_quarantined"),
            *[pl.col(name).alias(f"_{name}") for name in ("rating", "opt_out", "ai")],
        )
        .with_columns((tagged[n] | written[n]).alias(f"_image_{n}") for n in tagged.columns)
        .join(
            flags.select(representative="image_key", _flags="flags"),
            on="representative",
            how="left",
        )
        .drop("representative")
    )


def _of_prompts(prompts: pl.DataFrame, images: pl.DataFrame, config: SafetyConfig) -> pl.DataFrame:
    """What the words of each prompt say, in the prompts' order: `_never_tag`, `_child`, ….

    A tag counts whole and running text by its words. The text of a prompt is both, so in it a
    child is looked for in what is no tag of the image itself.
    """
    lists = words(config)
    of_groups = pl.col("groups").list.eval(pl.element().struct.field("tags").explode())
    tags = prompts.select(tags=of_groups)
    tagged = in_tags(tags, ("tags",), {name: (listed, tag_says) for name, listed in lists.items()})
    written = in_texts(prompts, ("caption",), lists)
    made = in_texts(prompts, ("prompt",), lists)
    suspects = prompts.select("image_id", "prompt").with_row_index("row").filter(made["child"])
    child = _child_beside_tags(suspects, images, lists["child"])
    children = pl.int_range(prompts.height, dtype=pl.UInt32, eager=True).is_in(child.to_list())
    both = {name: tagged[name] | written[name] for name in lists}
    for name in ("never_tag", "banned_word"):
        both[name] = both[name] | made[name]
    both["child"] = both["child"] | children
    return pl.DataFrame({f"_{name}": found for name, found in both.items()})


def _child_beside_tags(
    suspects: pl.DataFrame, images: pl.DataFrame, children: list[str]
) -> pl.Series:
    """The rows of suspects whose prompt says a child in a piece that is no tag of the image."""
    bare = r"[^\p{L}\p{N}]"
    own = (
        images.lazy()
        .join(suspects.lazy(), on="image_id", how="semi")
        .select("image_id", tag=pl.col("tags").list.eval(pl.element().struct.field("tag")))
        .explode("tag")
        .with_columns(key=joined(text_spelling(pl.col("tag"))).str.replace_all(bare, ""))
    )
    pieces = (
        suspects.lazy()
        .select("row", "image_id", piece=pl.col("prompt").str.extract_all(_PIECE))
        .explode("piece")
        .filter(text_says(text_spelling(pl.col("piece")), children))
        .with_columns(key=joined(text_spelling(pl.col("piece"))).str.replace_all(bare, ""))
    )
    return pieces.join(own, on=["image_id", "key"], how="anti").select("row").collect()["row"]
