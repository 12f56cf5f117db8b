import pytest

from dataproc_assets.config.project import load_project
from dataproc_assets.config.weights import files_of
from dataproc_assets.config.yaml import ConfigError
from dataproc_assets_tests.config.conf import change, message, replace


def test_the_shipped_configuration_is_whole():
    project = load_project()
    assert project.profile.name == "local"
    assert set(project.metrics) == {*project.pass_metrics, *project.late_metrics}
    assert project.pass_metrics.keys() & project.late_metrics.keys() == set()
    assert project.dedup.embedding in project.pass_metrics


def test_the_environment_names_folder_and_profile(conf, monkeypatch):
    change(conf / "gallery.yaml", seed=7)
    monkeypatch.setenv("DATAPROC_CONF", str(conf))
    monkeypatch.setenv("DATAPROC_PROFILE", "aws")
    project = load_project()
    assert (project.gallery.seed, project.profile.name) == (7, "aws")
    assert load_project(profile="local").profile.name == "local"
    monkeypatch.setenv("DATAPROC_PROFILE", "")
    assert load_project().profile.name == "local"


def test_an_unknown_profile_names_the_nearest(conf):
    with pytest.raises(ConfigError, match=r"did you mean 'local\.yaml'\?"):
        load_project(conf, "lokal")


def test_a_folder_without_files_is_named(conf, tmp_path):
    for path in (conf / "recipes").iterdir():
        path.unlink()
    assert message(conf).startswith("conf/recipes: there is no .yaml file in")
    with pytest.raises(ConfigError, match="profiles"):
        load_project(tmp_path / "none")


@pytest.mark.parametrize(
    "file",
    ["profiles/local", "sources/pixiv", "metrics/clip", "vaes/demo", "releases/demo"],
)
def test_a_name_is_that_of_its_file(conf, file):
    change(conf / f"{file}.yaml", name="other")
    expected = f"conf/{file}.yaml: name is 'other', but the file is '{file.split('/')[1]}.yaml'"
    assert message(conf) == expected


@pytest.mark.parametrize(
    ("file", "changes", "expected"),
    [
        (
            "releases/demo",
            {"recipes": ["animagine5"]},
            "conf/releases/demo.yaml: no recipe named 'animagine5' (did you mean 'animagine4'?)",
        ),
        (
            "releases/demo",
            {"latents__vae": "sdlx"},
            "conf/releases/demo.yaml: no vae named 'sdlx' (did you mean 'sdxl'?)",
        ),
        (
            "releases/demo",
            {"select__sources": ["danboru"]},
            "conf/releases/demo.yaml: no source named 'danboru' (did you mean 'danbooru'?)",
        ),
        (
            "releases/demo",
            {"select__tiers": [None, "bets"]},
            "conf/releases/demo.yaml: no tier named 'bets' (did you mean 'best'?)",
        ),
        (
            "releases/demo",
            {"select__scores": {"clip_scor": {"at_least": 1}}},
            "conf/releases/demo.yaml: no score named 'clip_scor' (did you mean 'clip_score'?)",
        ),
        (
            "recipes/animagine4",
            {"tier_words": {"goood": "good score"}},
            "conf/recipes/animagine4.yaml: no tier named 'goood' (did you mean 'good'?)",
        ),
        (
            "curation",
            {"merge__tag_p": {"default": 0.5, "pixv": 0.5}},
            "conf/curation.yaml: no source named 'pixv' (did you mean 'pixiv'?)",
        ),
        (
            "safety",
            {"opt_out__artist_ids": ["pixi/1"]},
            "conf/safety.yaml: no source named 'pixi' (did you mean 'pixiv'?)",
        ),
        (
            "safety",
            {"ai__scores": [{"column": "softmax_nsfv", "at_least": 0.5}]},
            "conf/safety.yaml: no class of a classifier named 'softmax_nsfv' "
            "(did you mean 'softmax_nsfw'?)",
        ),
        (
            "dedup",
            {"embedding": "tagger"},
            "conf/dedup.yaml: no embedding named 'tagger'; there are clip",
        ),
        (
            "dedup",
            {"detail__metric": "pixel"},
            "conf/dedup.yaml: no detail named 'pixel' (did you mean 'pixels'?)",
        ),
    ],
)
def test_a_name_that_nothing_has_is_refused(conf, file, changes, expected):
    change(conf / f"{file}.yaml", **changes)
    assert message(conf) == expected


def test_embeddings_are_compared_of_every_image_or_not_at_all(conf):
    change(conf / "metrics/clip.yaml", on="representatives")
    assert message(conf).startswith("conf/dedup.yaml: no embedding named 'clip'")


def test_every_source_is_ranked_by_a_score(conf):
    replace(conf / "curation.yaml", "      yandere: score\n", "")
    assert load_project(conf).curation.augment.tiers.score("yandere") == "favourites"
    replace(conf / "curation.yaml", "      default: favourites\n", "")
    assert message(conf).startswith("conf/curation.yaml: no score named 'yandere'")
    replace(conf / "curation.yaml", "      pixiv: favourites\n", "      pixi: favourites\n")
    assert "conf/curation.yaml: no source named 'pixi'" in message(conf)


@pytest.mark.parametrize("prefix", ["dataset-pixiv", "dataset-pixiv/below"])
def test_no_crawl_lies_in_another(conf, prefix):
    change(conf / "sources/twitter.yaml", crawl__prefix=prefix)
    assert "lies in that of" in message(conf)
    assert "one file would be an image of both" in message(conf)


def test_prefixes_that_only_begin_alike_are_apart(conf):
    change(conf / "sources/twitter.yaml", crawl__prefix="dataset-pixiv2")
    load_project(conf)


def test_a_metric_runs_in_the_pass_or_late(conf):
    change(conf / "metrics/caption.yaml", on="always")
    place = "Input should be 'todo', 'prefiltered' or 'representatives'"
    assert message(conf).startswith(f"conf/metrics/caption.yaml:3: on: {place}")


def test_on_needs_no_quotes(conf):
    replace(conf / "metrics/clip.yaml", '"on": todo', "on: todo")
    assert load_project(conf).metrics["clip"].on == "todo"


def test_the_example_of_the_manual_is_the_message(conf):
    replace(conf / "sources/pixiv.yaml", "trust: {", "truts: {")
    lines = message(conf).splitlines()
    number = next(
        index
        for index, line in enumerate((conf / "sources/pixiv.yaml").read_text().splitlines(), 1)
        if line.startswith("truts")
    )
    unknown = "unknown key 'truts' (did you mean 'trust'?)"
    assert f"conf/sources/pixiv.yaml:{number}: {unknown}" in lines


def test_a_profile_chooses_a_folder_of_metrics(conf):
    other = conf / "metrics" / "other"
    other.mkdir()
    for name in ("clip", "extra"):
        (other / f"{name}.yaml").write_bytes((conf / "metrics" / "clip.yaml").read_bytes())
        change(other / f"{name}.yaml", name=name, decimals=1)
    plain = load_project(conf)
    assert "extra" not in plain.metrics
    change(conf / "profiles/local.yaml", metrics="other")
    project = load_project(conf)
    assert list(project.metrics) == sorted([*plain.metrics, "extra"])
    assert project.metrics["clip"].decimals == project.metrics["extra"].decimals == 1
    assert project.metrics["tagger"] == plain.metrics["tagger"]
    assert load_project(conf, "aws").metrics == plain.metrics
    assert load_project(conf, "aws", metrics="other").metrics == project.metrics


def test_a_folder_of_metrics_that_is_not_there_names_the_nearest(conf):
    (conf / "metrics" / "other").mkdir()
    change(conf / "profiles/local.yaml", metrics="othr")
    assert message(conf).startswith(
        "conf/profiles/local.yaml: no folder of metrics named 'othr' (did you mean 'other'?)"
    )
    change(conf / "profiles/local.yaml", metrics="other")
    assert message(conf).startswith("conf/metrics/other: there is no .yaml file in")


@pytest.mark.parametrize("profile", ["local", "aws"])
def test_the_production_models_validate_without_their_weights(profile):
    plain, project = (
        load_project(profile=profile),
        load_project(profile=profile, metrics="production"),
    )
    assert project.metrics.keys() == plain.metrics.keys()
    changed = {name for name, one in project.metrics.items() if one != plain.metrics[name]}
    assert changed == {"clip", "tagger"}
    files = dict(files_of({"metrics": project.metrics, "vae": project.vaes["sdxl"]}))
    elsewhere = [file for file in files.values() if not file.uri.startswith("package:")]
    assert len(elsewhere) == 4
    assert all(file.sha256 and file.revision for file in elsewhere)
