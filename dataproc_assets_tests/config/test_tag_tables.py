import pytest
from pydantic import ValidationError

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.config.project import load_project
from dataproc_assets.config.tag_tables import closed, resolved
from dataproc_assets.config.yaml import ConfigError
from dataproc_assets.storage.flow import config_digest
from dataproc_assets_tests.config.conf import change, copy_conf, replace
from dataproc_assets_tests.transforms.frames import changed, conf

MERGE = conf("curation", CurationConfig).merge


def table(conf_folder, name, *lines):
    """A CSV file in place of the one that ships."""
    (conf_folder / "tags" / f"{name}.csv").write_text("\n".join(lines) + "\n", "utf-8")


def refused(conf_folder):
    with pytest.raises(ConfigError) as error:
        load_project(conf_folder)
    return str(error.value)


def test_the_shipped_tables_lead_to_names_that_stand():
    assert MERGE.alias_of["オリジナル"] == "original"
    assert MERGE.alias_of["銀髪"] == "grey_hair"  # by way of silver_hair
    assert MERGE.implied_by["school_swimsuit"] == ["one-piece_swimsuit", "swimsuit"]
    assert not set(MERGE.alias_of.values()) & MERGE.alias_of.keys()


def test_chains_are_followed_to_their_ends():
    assert resolved({"a": "b", "b": "c", "x": "c"}) == {"a": "c", "b": "c", "x": "c"}
    assert closed({"a": ["b", "d"], "b": ["c"]}) == {"a": ["b", "c", "d"], "b": ["c"]}


def test_inline_entries_and_the_lines_of_a_file_are_one_table(tmp_path):
    folder = copy_conf(tmp_path)
    table(folder, "aliases", "alias,name", "猫耳,cat_ears")
    table(folder, "implications", "tag,implies", "cat_ears,animal_ears", "cat_ears,ears")
    change(
        folder / "curation.yaml",
        merge__aliases={"ねこみみ": "猫耳"},
        merge__implications={"ears": "head", "hat": ["headwear"]},
    )
    merge = load_project(folder).curation.merge
    assert merge.alias_of == {"ねこみみ": "cat_ears", "猫耳": "cat_ears"}
    assert merge.implied_by == {
        "cat_ears": ["animal_ears", "ears", "head"],
        "ears": ["head"],
        "hat": ["headwear"],
    }


def test_danbooru_dumps_are_read_as_they_are_and_only_what_is_in_force(tmp_path):
    folder = copy_conf(tmp_path)
    table(
        folder,
        "aliases",
        "id,antecedent_name,consequent_name,status",
        "1,gray_hair,grey_hair,active",
        "2,smile,happy,deleted",
    )
    assert load_project(folder).curation.merge.alias_of == {"gray_hair": "grey_hair"}


def test_a_changed_line_is_another_configuration(tmp_path):
    folder = copy_conf(tmp_path)
    before = config_digest(load_project(folder), "images", None)
    replace(folder / "tags" / "aliases.csv", "猫耳,cat_ears", "猫耳,animal_ears")
    assert config_digest(load_project(folder), "images", None) != before


def test_a_model_that_is_checked_again_keeps_what_the_files_said():
    assert changed(MERGE, tag_confidence_min=0.5).alias_of == MERGE.alias_of


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["alias,nmae"], "conf/tags/aliases.csv:1: the columns are alias,nmae, not alias,name or"),
        (["alias,name", "猫,"], "conf/tags/aliases.csv:2: a name is missing"),
        (["alias,name", "猫,Cat Ears"], "aliases.csv:2: no tag is spelt 'Cat Ears' (write 'cat_"),
        (["alias,name", "a,b", "a,b"], "aliases.csv:3: 'a' is given in line 2 already"),
        (
            ["alias,name", "a,b", "x,y", "a,c"],
            "conf/tags/aliases.csv:4: 'a' cannot be 'c' too: in line 2 it is 'b'",
        ),
        (["alias,name", "a,a"], "conf/tags/aliases.csv:2: 'a' leads back to itself: a -> a"),
        (
            ["alias,name", "x,a", "a,b", "b,c", "c,a"],
            "conf/tags/aliases.csv:3: 'a' leads back to itself: a -> b -> c -> a",
        ),
        (
            ["alias,name", "cat_ears,neko"],
            "conf/tags/implications.csv:3: 'cat_ears' is an alias (write 'neko')",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(tmp_path, lines, message):
    folder = copy_conf(tmp_path)
    table(folder, "aliases", *lines)
    table(folder, "implications", "tag,implies", "hat,headwear", "cat_ears,animal_ears")
    assert message in refused(folder)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["tag,implies", "a,b", "a,b"], "implications.csv:3: 'a' is given in line 2 already"),
        (["tag,implies", "a,a"], "implications.csv:2: 'a' leads back to itself"),
        (["tag,implies", "a,b", "b,c", "b,a"], "implications.csv:2: 'a' leads back to itself"),
    ],
)
def test_implications_that_say_nothing_are_refused(tmp_path, lines, message):
    folder = copy_conf(tmp_path)
    table(folder, "implications", *lines)
    assert message in refused(folder)


@pytest.mark.parametrize(
    ("values", "at", "message"),
    [
        ({"merge__aliases": {"猫耳": "neko"}}, None, "'猫耳' is given in curation.yaml, merge.ali"),
        ({"merge__aliases": {"x": "y", "y": "x"}}, "x: y", "'x' leads back to itself: x -> y -> x"),
        ({"merge__implications": {"x": "X"}}, "x: X", "no tag is spelt 'X' (write 'x')"),
        ({"merge__aliases_csv": "tags/alias.csv"}, "aliases_csv:", "(did you mean 'tags/aliases"),
        ({"merge__aliases_csv": "../aliases.csv"}, "aliases_csv:", "no such file below conf/"),
    ],
)
def test_what_is_wrong_in_the_yaml_is_said_with_its_line(tmp_path, values, at, message):
    folder = copy_conf(tmp_path)
    change(folder / "curation.yaml", **values)
    error = refused(folder)
    assert message in error
    if at:
        lines = (folder / "curation.yaml").read_text("utf-8").splitlines()
        (number,) = (n for n, line in enumerate(lines, 1) if line.strip().startswith(at))
        assert error.startswith(f"conf/curation.yaml:{number}: merge.")


def test_a_wrong_table_is_refused_without_a_file_too():
    with pytest.raises(ValidationError, match="'x' leads back to itself"):
        changed(MERGE, implications={"x": ["x"]})
