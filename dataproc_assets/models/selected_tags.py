"""The vocabulary of a tagger: the CSV that WD taggers ship beside their weights."""

import csv
import io
from collections import Counter

from dataproc_assets.config.weights import File
from dataproc_assets.models.weights import WeightsError, read_verified

RATING = "rating"
CATEGORIES = {
    "0": "general",
    "1": "artist",
    "3": "copyright",
    "4": "character",
    "5": "meta",
    "9": RATING,
}
"""Danbooru's numbers of categories, and 9, by which WD taggers mark ratings."""


def read_selected_tags(file: File, where: str) -> tuple[list[str], list[str]]:
    """Names and categories in the order of the model's outputs, from `name` and `category`.

    Names are as the file has them, with an underscore for each blank.

    Raises:
        WeightsError: no such file or another digest; no UTF-8; no such columns; a row that is
            longer or shorter than the header, without a name or of an unknown category; a tag, or
            a rating, that is there twice.
    """
    content = read_verified(file, where)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WeightsError(f"{where}: {file.uri} is not UTF-8 ({error})") from error
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return _columns(lines, f"{where}: {file.uri}")
    except csv.Error as error:
        raise WeightsError(f"{where}: {file.uri}: line {lines.line_num}: {error}") from error


def _columns(lines, where: str) -> tuple[list[str], list[str]]:
    header = next(lines, [])
    if not {"name", "category"} <= set(header):
        raise WeightsError(
            f"{where} begins with {','.join(header)!r}; the header tag_id,name,category,count is "
            "needed"
        )
    tags, categories = [], []
    for line in lines:
        if not line:
            continue
        if len(line) != len(header):
            raise WeightsError(
                f"{where}: line {lines.line_num} has {len(line)} values, the header {len(header)}"
            )
        row = dict(zip(header, line, strict=True))
        name, number = row["name"].replace(" ", "_"), row["category"].strip()
        if not name or number not in CATEGORIES:
            raise WeightsError(
                f"{where}: line {lines.line_num} has the name {name!r} and the category "
                f"{number!r}; categories are {', '.join(f'{k} {v}' for k, v in CATEGORIES.items())}"
            )
        tags.append(name)
        categories.append(CATEGORIES[number])
    # a rating may be called as a tag is: they are written to columns of their own
    seen = Counter((tag, c == RATING) for tag, c in zip(tags, categories, strict=True))
    if twice := [tag for (tag, _), count in seen.items() if count > 1]:
        raise WeightsError(f"{where} has {', '.join(twice[:5])} more than once")
    return tags, categories
