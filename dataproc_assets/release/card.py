"""The dataset card: what a person, and the Hugging Face Hub, reads of a release first."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import yaml

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.config.releases import TRAIN, ReleaseConfig
from dataproc_assets.release.card_recipe import recipe_section

SIZES = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M")]
SIZES += [(10**7, "1M<n<10M"), (10**8, "10M<n<100M"), (10**9, "100M<n<1B")]

TABLE_CODE = """\
from datasets import Features, Image, Value, load_dataset

table = load_dataset(here, split="train")  # here: this folder, or owner/name on the hub"""

IMAGES_CODE = """\
types = dict.fromkeys(["png", "jpg", "webp", "gif", "avif"], Image())
images = load_dataset(
    "webdataset",
    data_files={"train": f"{here}/webdataset/train-*.tar"},  # hf://datasets/owner/name/...
    features=Features({"__key__": Value("string"), "txt": Value("string"), **types}),
    split="train",
)"""

WEBDATASET_CODE = """\
import webdataset

shards = here + "/webdataset/train-{{00000..{last:05d}}}.tar"
samples = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")"""

LIMITS = """\
- Tags, captions, quality tiers and ratings come from the crawled sites and from models; both err.
- Near duplicates are removed by hash and embedding; variants of one picture are kept apart, and
  some duplicates remain.
- A missing value is null and means unknown, not no.
- The safety filters reduce what must not be here; they prove nothing. Report what they missed."""


def dataset_card(
    config: ReleaseConfig,
    counts: Mapping[str, Any],
    train: pl.DataFrame,
    recipes: Mapping[str, RecipeConfig],
) -> str:
    """`README.md` as the Hub reads it: YAML front matter with `configs`, then Markdown.

    Args:
        counts: as `release_counts` gives them.
        train: the rows of all splits, of which the examples are taken.
        recipes: by name; of one that is not there only an example is shown.
    """
    rows = counts["images"]
    # of one format: `datasets` reads all configs with the reader that the first one's files ask for
    tables = [{"split": name, "path": f"{name}.parquet"} for name in config.splits]
    front = {
        "license": config.licence,
        "pretty_name": config.title,
        "task_categories": ["text-to-image"],
        "size_categories": [next((size for most, size in SIZES if rows < most), "n>1B")],
        "configs": [{"config_name": "table", "data_files": tables, "default": True}],
    }
    prompts = [recipe_section(name, recipes.get(name), train) for name in config.recipes]
    sections = [
        f"# {config.title}",
        f"{rows} images, {counts['bytes']} bytes, {counts['prompts']} prompts by "
        f"{_listed(config.recipes)}. A published release never changes.",
        "## Licence\n\n" + config.licence_note,
        "## Files\n\n" + _files(config),
        "## Loading\n\n" + _loading(config, train),
        "## Splits\n\n" + _splits(config, counts["splits"]),
        "## Prompts\n\n" + "\n\n".join(prompts),
        "## Sources\n\n" + _table("source", counts["sources"]),
        "## Ratings\n\n" + _table("rating", counts["ratings"]),
        "## Quality tiers\n\n" + _table("tier", counts["tiers"]),
        "## Years\n\n" + _table("year", counts["years"]),
        "## How the images were chosen\n\n" + _funnel(counts["funnel"]),
        "## Limits\n\n" + LIMITS,
    ]
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n" + "\n\n".join(sections) + "\n"


def _listed(names: list[str]) -> str:
    return "the recipe" + ("s " if len(names) > 1 else " ") + ", ".join(f"`{n}`" for n in names)


def _files(config: ReleaseConfig) -> str:
    tables = ", ".join(f"`{split}.parquet`" for split in config.splits)
    lines = [
        f"- {tables}: one row an image, with the prompts of every recipe, the posts that show it "
        "(`members`), and the source of each tag and field."
    ]
    if "webdataset" in config.formats:
        lines.append(
            "- `webdataset/{split}-*.tar`: the images' own bytes, `.json` with all prompts, `.txt` "
            f"with the first prompt of `{config.recipes[0]}`."
        )
    if "sd_scripts" in config.formats:
        more = "".join(f", `sd_scripts/{{recipe}}.{s}.json`" for s in config.splits if s != TRAIN)
        lines.append(f"- `sd_scripts/{{recipe}}.json`{more}: metadata for kohya's sd-scripts.")
    return "\n".join(lines)


def _loading(config: ReleaseConfig, train: pl.DataFrame) -> str:
    """How `datasets` opens it, which else asks that all images of a tar are of one type."""
    tars = "webdataset" in config.formats
    code = [TABLE_CODE, IMAGES_CODE] if tars else [TABLE_CODE]
    parts = ["```python\n" + "\n\n".join(code) + "\n```"]
    if tars:
        shards = train.filter(pl.col("split") == TRAIN)["shard"].n_unique()
        parts += [
            "An image is in the column of its type, as it was published; the columns must be "
            "named, since the types are mixed. `webdataset` needs no names:",
            "```python\n" + WEBDATASET_CODE.format(last=max(shards - 1, 0)) + "\n```",
        ]
    if tars and "sd_scripts" in config.formats:
        parts.append(
            "For sd-scripts, `tar -xf` the tars of a split into one folder, which is then the "
            "`image_dir` of a subset whose `metadata_file` is the recipe's JSON. Where the "
            f"release's storage is at hand, `dataproc unpack {config.name} FOLDER` writes that "
            "folder, its latents and the file for `--dataset_config`."
        )
    return "\n\n".join(parts)


def _splits(config: ReleaseConfig, counts: Mapping[str, int]) -> str:
    table = _table("split", {name: counts.get(name, 0) for name in config.splits})
    if len(config.splits) == 1:
        return table
    return f"{table}\n\nPictures that are much alike are in one split."


def _table(name: str, counts: Mapping[str, int]) -> str:
    rows = "\n".join(f"| {value} | {count} |" for value, count in counts.items())
    return f"| {name} | images |\n|---|---:|\n{rows}"


def _funnel(steps: list[dict[str, Any]]) -> str:
    rows = "\n".join(
        f"| {s['name']} | {s['before']} | {s['after']} | {s['before'] - s['after']} |"
        for s in steps
    )
    return f"| step | before | after | dropped |\n|---|---:|---:|---:|\n{rows}"
