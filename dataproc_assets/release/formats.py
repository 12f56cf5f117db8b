"""The files of a release that trainers read beside the tars."""

import json

import polars as pl

from dataproc_assets.config.releases import TRAIN


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
