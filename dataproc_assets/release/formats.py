"""The files of a release that trainers and the Hugging Face Hub read beside the tars."""

import json
from typing import Any

import polars as pl
import yaml

from dataproc_assets.config.releases import TRAIN, ReleaseConfig

SIZES = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M")]
SIZES += [(10**7, "1M<n<10M"), (10**8, "10M<n<100M"), (10**9, "100M<n<1B")]


def sd_scripts_metadata(train: pl.DataFrame, recipe: str) -> bytes:
    """The metadata file of sd-scripts: `{file_name: {caption, image_size: [width, height]}}`.

    The caption is the whole prompt: there is no `tags` key, which sd-scripts would append to it.
    Several prompts of one image are lines, of which sd-scripts draws one with `enable_wildcard`
    and else takes the first.
    """
    prompts = train.select(
        "file_name",
        "width",
        "height",
        caption=pl.col(f"prompts__{recipe}").list.eval(pl.element().str.replace_all("\n", " ")),
    )
    entries = {
        name: {"caption": "\n".join(caption), "image_size": [width, height]}
        for name, width, height, caption in prompts.iter_rows()
    }
    return f"{json.dumps(entries, ensure_ascii=False, indent=0)}\n".encode()


def sd_scripts_name(recipe: str, split: str) -> str:
    """The file of a split's metadata: `sd_scripts/{recipe}.json`, with others' names in it."""
    return f"sd_scripts/{recipe}.json" if split == TRAIN else f"sd_scripts/{recipe}.{split}.json"


def dataset_card(config: ReleaseConfig, counts: dict[str, Any]) -> str:
    """`README.md` as the Hub reads it: YAML front matter with `configs`, then Markdown."""
    rows = counts["images"]
    # of one format: `datasets` reads all configs with the reader that the first one's files ask for
    tables = [{"split": name, "path": f"{name}.parquet"} for name in config.splits]
    configs = [{"config_name": "table", "data_files": tables, "default": True}]
    front = {
        "license": config.licence,
        "pretty_name": config.title,
        "task_categories": ["text-to-image"],
        "size_categories": [next((size for most, size in SIZES if rows < most), "n>1B")],
        "configs": configs,
    }
    sections = [
        f"# {config.title}",
        f"{rows} images, {counts['bytes']} bytes, {counts['prompts']} prompts by "
        f"{_listed(config.recipes)}. A published release never changes.",
        "## Licence\n\n" + config.licence_note,
        "## Files\n\n" + _files(config),
        "## Loading\n\n" + _loading(config),
        "## Splits\n\n" + _table("split", counts["splits"]),
        "## Sources\n\n" + _table("source", counts["sources"]),
        "## Ratings\n\n" + _table("rating", counts["ratings"]),
        "## Quality tiers\n\n" + _table("tier", counts["tiers"]),
        "## Years\n\n" + _table("year", counts["years"]),
        "## How the images were chosen\n\n" + _funnel(counts["funnel"]),
        "## Limits\n\n" + LIMITS,
    ]
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n" + "\n\n".join(sections) + "\n"


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

LIMITS = """\
- Tags, captions, quality tiers and ratings come from the crawled sites and from models; both err.
- Near duplicates are removed by hash and embedding; variants of one picture are kept apart, and
  some duplicates remain.
- A missing value is null and means unknown, not no.
- The safety filters reduce what must not be here; they prove nothing. Report what they missed."""


def _listed(names: list[str]) -> str:
    return "the recipe" + ("s " if len(names) > 1 else " ") + ", ".join(f"`{n}`" for n in names)


def _files(config: ReleaseConfig) -> str:
    tables = ", ".join(f"`{split}.parquet`" for split in config.splits)
    lines = [f"- {tables}: one row an image, with the prompts of every recipe."]
    if "webdataset" in config.formats:
        lines.append(
            "- `webdataset/{split}-*.tar`: the images' own bytes, `.json` with all prompts, `.txt` "
            f"with the first prompt of `{config.recipes[0]}`."
        )
    if "sd_scripts" in config.formats:
        more = "".join(f", `sd_scripts/{{recipe}}.{s}.json`" for s in config.splits if s != TRAIN)
        lines.append(f"- `sd_scripts/{{recipe}}.json`{more}: metadata for kohya's sd-scripts.")
    return "\n".join(lines)


def _loading(config: ReleaseConfig) -> str:
    """How `datasets` opens it, which else asks that all images of a tar are of one type."""
    code = [TABLE_CODE] + ([IMAGES_CODE] if "webdataset" in config.formats else [])
    text = "```python\n" + "\n\n".join(code) + "\n```"
    if "webdataset" in config.formats:
        text += (
            "\n\nAn image is in the column of its type, as it was published; the columns must be "
            "named, since the types are mixed. `webdataset` needs nothing."
        )
    return text


def _table(name: str, counts: dict[str, int]) -> str:
    rows = "\n".join(f"| {value} | {count} |" for value, count in counts.items())
    return f"| {name} | images |\n|---|---:|\n{rows}"


def _funnel(steps: list[dict[str, Any]]) -> str:
    rows = "\n".join(
        f"| {s['name']} | {s['before']} | {s['after']} | {s['before'] - s['after']} |"
        for s in steps
    )
    return f"| step | before | after | dropped |\n|---|---:|---:|---:|\n{rows}"
