from dataclasses import replace

import pytest

from dataproc_assets.config.project import load_project
from dataproc_assets.storage.flow import config_digest, stage_inputs, stages
from dataproc_assets.storage.stages import partitions

PROJECT = load_project(profile="local")
PER_SOURCE = [name for name, stage in stages(PROJECT).items() if stage.by == "source"]


def changed(project, where, **values):
    """The project with fields of a configuration replaced; `where` is its path."""
    name, *below = where.split(".")
    item = getattr(project, name)
    if isinstance(item, dict):
        new = {**item, below[0]: _copy(item[below[0]], below[1:], values)}
    else:
        new = _copy(item, below, values)
    return replace(project, **{name: new})


def _copy(model, below, values):
    if below:
        values = {below[0]: _copy(getattr(model, below[0]), below[1:], values)}
    return model.model_copy(update=values)


def affected(project) -> set[str]:
    """The stages that another configuration makes stale by themselves."""
    return {
        name
        for name, stage in stages(PROJECT).items()
        for key in partitions(PROJECT, stage.by)
        if config_digest(project, name, key) != config_digest(PROJECT, name, key)
    }


def test_stages_stand_in_the_order_of_their_inputs():
    done = set(PROJECT.pass_metrics)
    for name in stages(PROJECT):
        assert set(stage_inputs(PROJECT, name)) <= done, name
        done.add(name)


def test_a_late_metric_stands_between_the_clusters_and_the_images():
    names = list(stages(PROJECT))
    assert names.index("dedup_cross") < names.index("caption") < names.index("images")
    assert "caption" in stage_inputs(PROJECT, "images")
    assert stages(PROJECT)["caption"].by is None
    assert set(PROJECT.pass_metrics) <= set(stage_inputs(PROJECT, "metrics_merged"))


def test_the_compared_embedding_is_the_one_that_the_configuration_names():
    other = PROJECT.metrics["clip"].model_copy(update={"name": "siglip"})
    project = replace(
        PROJECT,
        metrics={**PROJECT.metrics, "siglip": other},
        dedup=PROJECT.dedup.model_copy(update={"embedding": "siglip"}),
    )
    for stage in ("dedup_intra", "dedup_cross"):
        assert "siglip" in stage_inputs(project, stage)
        assert "clip" not in stage_inputs(project, stage)
        assert "pixels" in stage_inputs(project, stage)


@pytest.mark.parametrize(
    ("where", "values", "expected"),
    [
        ("curation", {"prefilter": []}, {"prefiltered"}),
        ("sources.pixiv", {"prefilter": []}, {"todo"}),
        ("sources.pixiv", {"key": "^x$"}, {"inventory"}),
        ("sources.pixiv.crawl", {"prefix": "elsewhere"}, {"inventory", "records"}),
        ("sources.pixiv", {"ai_tags": []}, {"todo", "merged"}),
        ("sources.pixiv.trust", {"tags": 0.0}, {"images"}),
        ("sources.pixiv.trust", {"image": 0.0}, {"dedup_intra", "dedup_cross", "images"}),
        ("sources.pixiv", {"removed_share_max": 1.0}, {"inventory"}),
        ("sources.pixiv", {"settle_seconds": 1}, set()),
        (
            "curation",
            {"as_of": PROJECT.curation.as_of.replace(year=2000)},
            {"todo", "augmented", "prompts"},
        ),
        ("curation.augment", {"periods": []}, {"augmented", "images"}),
        ("curation.merge", {"aliases": {}}, {"images"}),
        ("curation", {"seed": 1}, {"images"}),
        ("dedup", {"cosine": 0.99}, {"dedup_intra", "dedup_cross", "gallery"}),
        ("recipes.caption", {"seed": 1}, {"prompts"}),
        ("safety", {"banned_words": []}, {"images", "sanitized", "release", "gallery"}),
        (
            "safety.opt_out",
            {"artists": []},
            {"images", "sanitized", "release", "gallery"},
        ),
        ("gallery", {"images": 1}, {"gallery"}),
        ("releases.demo", {"seed": 1}, {"release"}),
        ("releases.demo.latents", {"batch_size": 1}, {"release", "latents"}),
        ("metrics.clip", {"version": 2}, {"todo", "metrics_merged", "gallery"}),
        ("metrics.clip", {"batch_size": 1}, set()),
        ("metrics.clip", {"seconds_per_image": 9.0}, set()),
        ("metrics.caption", {"version": 2}, {"caption"}),
        ("profile.storage", {"root": "s3://elsewhere"}, set()),
        ("profile.runner", {"processes": 9}, set()),
        ("profile.decode", {"max_seconds": 9.0}, {"gallery"}),
    ],
)
def test_a_change_touches_the_stages_that_read_it_and_no_others(where, values, expected):
    assert affected(changed(PROJECT, where, **values)) == expected


def test_a_change_of_one_source_or_recipe_leaves_the_others_alone():
    source = PROJECT.sources["pixiv"]
    trust = source.trust.model_copy(update={"image": 0.0, "tags": 0.0})
    crawl = source.crawl.model_copy(update={"prefix": "elsewhere"})
    update = {"trust": trust, "crawl": crawl, "key": "^x$", "prefilter": [], "ai_tags": []}
    project = changed(PROJECT, "sources.pixiv", **update)
    for stage in PER_SOURCE:
        for other in partitions(PROJECT, "source"):
            same = config_digest(project, stage, other) == config_digest(PROJECT, stage, other)
            assert same or other == "pixiv", stage
    later = PROJECT.curation.as_of.replace(year=2030)
    project = changed(PROJECT, "curation", as_of=later)
    digests = {n: config_digest(project, "prompts", n) for n in PROJECT.recipes}
    before = {n: config_digest(PROJECT, "prompts", n) for n in PROJECT.recipes}
    assert {n for n in digests if digests[n] != before[n]} == {"kohaku"}  # it cuts newer posts
    project = changed(PROJECT, "recipes.caption", seed=99)
    same = config_digest(PROJECT, "prompts", "animagine4")
    assert config_digest(project, "prompts", "animagine4") == same
