"""The vocabulary of a tagger: the CSV that WD taggers ship beside their weights."""

import csv
import io

from dataproc_assets.config.weights import File
from dataproc_assets.models.weights import fault, read_verified

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
        raise fault(file, where, f"{file.uri} is not UTF-8 ({error})") from error
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return _columns(lines)
    except (_WrongError, csv.Error) as error:
        at = f"{file.uri}: line {lines.line_num}"
        raise fault(file, where, f"{at}: {error}") from error


class _WrongError(Exception):
    """What is wrong with the line that was read last."""


def _columns(lines) -> tuple[list[str], list[str]]:
    header = next(lines, [])
    if not {"name", "category"} <= set(header):
        raise _WrongError(
            f"the header tag_id,name,category,count is needed, this is {','.join(header)!r}"
        )
    tags, categories, seen = [], [], set()
    for line in lines:
        if not line:
            continue
        if len(line) != len(header):
            raise _WrongError(f"there are {len(line)} values, the header has {len(header)}")
        row = dict(zip(header, line, strict=True))
        name, number = row["name"].replace(" ", "_"), row["category"].strip()
        if not name or number not in CATEGORIES:
            known = ", ".join(f"{number} {name}" for number, name in CATEGORIES.items())
            raise _WrongError(
                f"the name is {name!r} and the category {number!r}; categories are {known}"
            )
        # a rating may be called as a tag is: they are written to columns of their own
        if (name, number == "9") in seen:
            raise _WrongError(f"the name {name!r} is there a second time")
        seen.add((name, number == "9"))
        tags.append(name)
        categories.append(CATEGORIES[number])
    return tags, categories
