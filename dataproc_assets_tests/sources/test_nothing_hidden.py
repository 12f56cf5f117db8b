import polars as pl
import pytest

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.safety.facts import FACTS, row_facts
from dataproc_assets.safety.never import CHILDREN, SEXUALISED_MINORS
from dataproc_assets.sources.columns import ELIGIBILITY_SCHEMA, RECORD_SCHEMA
from dataproc_assets.sources.merger import merge_source
from dataproc_assets.transforms.namespace import strip_namespace
from dataproc_assets.transforms.tagged import TAG_COLUMNS
from dataproc_assets_tests.sources.raw import SOURCES
from dataproc_assets_tests.transforms.frames import changed, conf

SHIPPED = conf("safety", SafetyConfig)
SAFETY = changed(SHIPPED, ai={**SHIPPED.ai.model_dump(), "scores": []})
WORDS = (
    *(*SEXUALISED_MINORS, *CHILDREN, *SAFETY.banned_words, *SAFETY.ai.tags, "R-18"),
    *(*SAFETY.opt_out.tags, *SAFETY.banned_artist_tags, *SAFETY.content.drop),
)
AS_TAG = ("{}", "{}1000users入り", "1000users入り{}", " {} ", "{}_request", "bad_{}_id", "#{}")
AS_TEXT = ("{}", "a #{}", "a #cute_{} #b", "see https://x.y/{}", "RT @{}: hi", "Untitled {}")
BLANK = {name: [] if isinstance(kind, pl.List) else None for name, kind in RECORD_SCHEMA.items()}


def records(source):
    """A record for each word in each form, as a tag and as a text."""
    items = [{"tags_general": [form.format(word)]} for form in AS_TAG for word in WORDS]
    items += [{column: [word]} for column in TAG_COLUMNS for word in WORDS]
    items += [
        {column: form.format(word)}
        for column in ("title", "caption")
        for form in AS_TEXT
        for word in WORDS
    ]
    rows = [
        {**BLANK, "image_key": f"{source}/{n}", "source": source, "rating": "general", **item}
        for n, item in enumerate(items)
    ]
    return pl.DataFrame(rows, schema=RECORD_SCHEMA)


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_what_speaks_against_a_record_does_so_after_its_merger(source):
    """Whatever a merger cuts, moves or lifts: no fact of a record becomes false by it."""
    before = records(source)
    known = ELIGIBILITY_SCHEMA.to_frame().lazy()
    metrics = pl.LazyFrame(schema={"image_key": pl.String})
    merged = merge_source(before.lazy(), metrics, known, SOURCES[source])
    rows = strip_namespace(merged, source).with_columns(source=pl.lit(source)).collect()
    facts = row_facts(before, SAFETY).sort("image_key")
    after = row_facts(rows, SAFETY).sort("image_key")
    assert facts["image_key"].equals(after["image_key"]) and facts["never_tag"].sum() > 500
    for fact in FACTS:
        hidden = facts["image_key"].filter(facts[fact] & ~after[fact])
        wrong = before.filter(pl.col("image_key").is_in(hidden.to_list()))
        assert hidden.is_empty(), (
            fact,
            wrong.select("tags_general", "title", "caption").rows()[:5],
        )
