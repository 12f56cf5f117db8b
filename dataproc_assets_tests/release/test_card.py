import datasets
import polars as pl
import pytest
from huggingface_hub import DatasetCard

from dataproc_assets.config.project import CONF
from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.release.card import dataset_card
from dataproc_assets.release.card_recipe import recipe_section
from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import run

COUNTS = {
    "images": 2,
    "bytes": 100,
    "prompts": 3,
    "sources": {"pixiv": 2},
    "ratings": {"general": 1, "unknown": 1},
    "tiers": {"best": 2},
    "years": {"2020": 2},
    "splits": {"train": 2},
    "funnel": [{"name": "rating in general", "before": 5, "after": 2}],
}
TRAIN = pl.DataFrame(
    {
        "image_id": ["aa", "bb", "cc"],
        "rating": ["explicit", "general", None],
        "split": ["train"] * 3,
        "shard": ["webdataset/train-00000.tar"] * 2 + ["webdataset/train-00001.tar"],
        "prompts__animagine": [["worst"], ["1girl, solo", "1girl"], ["unknown"]],
        "prompts__illustrious": [["worst"], ["1girl ||| solo"], ["unknown"]],
    }
)


def card(**changes) -> DatasetCard:
    """The card as the hub's own library reads it."""
    return DatasetCard(dataset_card(release_config(**changes), COUNTS, TRAIN, {}))


def shipped(name: str) -> RecipeConfig:
    return read_yaml(CONF / "recipes" / f"{name}.yaml", RecipeConfig)


def test_the_hub_reads_the_front_matter():
    read = card(splits={"train": 0.75, "validation": 0.25})
    assert read.data.to_dict() == {
        "license": "other",
        "pretty_name": "A small release",
        "task_categories": ["text-to-image"],
        "size_categories": ["n<1K"],
        "configs": [
            {
                "config_name": "table",
                "data_files": [
                    {"split": "train", "path": "train.parquet"},
                    {"split": "validation", "path": "validation.parquet"},
                ],
                "default": True,
            }
        ],
    }


def test_the_card_tells_licence_counts_splits_and_limits():
    text = card(splits={"train": 0.75, "validation": 0.25}).text
    for said in (
        "Each picture keeps the licence of its work.",
        "| pixiv | 2 |",
        "| rating in general | 5 | 2 | 3 |",
        "| validation | 0 |",  # a split that is asked and empty
        "`sd_scripts/{recipe}.validation.json`",
        "train-{00000..00001}.tar",
        "dataproc unpack small FOLDER",
        "The safety filters reduce what must not be here; they prove nothing.",
    ):
        assert said in text


def test_no_folder_is_named_that_is_not_there():
    text = card(formats=["parquet", "huggingface"]).text
    assert "webdataset" not in text and "sd-scripts" not in text


def test_a_recipe_is_told_in_its_order_with_a_mild_example():
    said = recipe_section("animagine", shipped("animagine4"), TRAIN)
    order = ["`1girl`", "character", "copyright", "artist", "the rating", "general", "the quality"]
    places = [said.index(word) for word in order]
    assert places == sorted(places)
    assert said.startswith("### `animagine`: Animagine XL 4.0")
    assert "Each image has one prompt of at most 75 CLIP tokens." in said
    assert said.endswith("Such as:\n\n    1girl, solo")
    assert "at random" not in said


def test_sections_marks_and_dropout_are_told():
    said = recipe_section("illustrious", shipped("illustrious"), TRAIN)
    assert "groups by ` ||| `. Each image has 4 prompts" in said
    assert "30% of the prompts keep 30%, and at least 10, of them" in said
    assert "10% of the prompts keep at most 6 of them" in said
    parted = [name for name in ("kohaku", "sd_scripts") if shipped(name).section_separator]
    for name in parted:
        mark = f"`{shipped(name).section_separator}`"
        assert mark in recipe_section("animagine", shipped(name), TRAIN)


@pytest.fixture(scope="module")
def here(tmp_path_factory, crawl) -> str:
    """The folder of a published release of two splits."""
    store = ObjectStore(str(tmp_path_factory.mktemp("released")))
    run(store, crawl, release_config(splits={"train": 0.6, "validation": 0.4}))
    manifest = read_manifest(store, "releases/small")
    assert manifest is not None
    return store.uri(manifest.root)


def test_datasets_finds_every_split_of_the_card(here, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    found = datasets.load_dataset(here)
    for name in ("train", "validation"):
        assert list(found[name]["image_id"]) == table(here, name)["image_id"].to_list() != []
        assert set(found[name]["split"]) == {name}


def test_the_card_s_code_for_webdataset_opens_train(here):
    text = DatasetCard.load(f"{here}/README.md").text
    (code,) = [part for part in text.split("```") if part.startswith("python\nimport webdataset")]
    names = {"here": here}
    exec(code.removeprefix("python\n"), names)
    keys = [sample["__key__"] for sample in names["samples"]]
    assert keys == table(here, "train")["image_id"].to_list()


def table(here: str, split: str) -> pl.DataFrame:
    return pl.read_parquet(f"{here}/{split}.parquet")
