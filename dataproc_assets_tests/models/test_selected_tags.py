import pytest

from dataproc_assets.config.weights import File
from dataproc_assets.models.selected_tags import read_selected_tags
from dataproc_assets.models.weights import WeightsError
from dataproc_assets.transforms.merge_tags import CATEGORIES
from dataproc_assets_tests.models.made import ROWS, csv_of, pinned

WHERE = "conf/metrics/tagger.yaml: selected_tags"
NUMBERS = {0: "general", 1: "artist", 3: "copyright", 4: "character", 5: "meta", 9: "rating"}
HEADER = "tag_id,name,category,count\n"


def read(tmp_path, content: bytes):
    return read_selected_tags(File(**pinned(tmp_path / "selected_tags.csv", content)), WHERE)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_and_categories_come_in_order(tmp_path, bom, end):
    tags, categories = read(tmp_path, bom + csv_of(ROWS, end))
    assert tags == [name.replace(" ", "_") for _, name, *_ in ROWS]
    assert {">_<", "^_^", "yes,_master", 'say_"hi"'} <= set(tags)
    assert categories == [NUMBERS[number] for *_, number, _ in ROWS]


def test_categories_are_those_the_merge_knows(tmp_path):
    assert {*NUMBERS.values()} - {"rating"} == {*CATEGORIES}


def test_a_rating_may_be_called_as_a_tag_is(tmp_path):
    tags, categories = read(tmp_path, (HEADER + "1,general,9,1\n2,general,0,1\n").encode())
    assert list(zip(tags, categories, strict=True)) == [
        ("general", "rating"),
        ("general", "general"),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_columns_name(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfname,category\nsolo,0\n") == (["solo"], ["general"])


def test_other_columns_and_empty_lines_do_not_matter(tmp_path):
    text = "name,ips,category\nsmile,[],0\n\nsolo,[],0\n"
    assert read(tmp_path, text.encode()) == (["smile", "solo"], ["general"] * 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 0: the header tag_id,name,category,count is needed, this is ''"),
        (b"1,smile,0,5\n", "line 1: the header tag_id,name,category,count is needed"),
        (HEADER.encode() + b"1,smile,0\n", "line 2: there are 3 values, the header has 4"),
        (HEADER.encode() + b"1,yes, master,0,5\n", "line 2: there are 5 values, the header has 4"),
        (HEADER.encode() + b"1,smile,7,5\n", "line 2: the name is 'smile' and the category '7'"),
        (HEADER.encode() + b"1,smile,general,5\n", "the category 'general'; .*0 general"),
        (HEADER.encode() + b"1,,0,5\n", "the name is '' and the category '0'"),
        (
            HEADER.encode() + b"1,x,0,5\n2,y,0,5\n3,x,4,5\n4,z,0,5\n",
            "line 4: the name 'x' .*second",
        ),
        (HEADER.encode() + b"1,a b,0,5\n2,a_b,0,5\n", "the name 'a_b' is there a second time"),
        (HEADER.encode() + b'1,"smile,0,5\n', "line 2: unexpected end of data"),
        (HEADER.encode() + b"1,\xff\xfe,0,5\n", "is not UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, content, said):
    with pytest.raises(WeightsError, match=rf"{WHERE}: .*{said}"):
        read(tmp_path, content)


def test_the_line_of_the_yaml_is_named_where_it_is_known(tmp_path):
    file = pinned(tmp_path / "selected_tags.csv", b"x")
    place = "conf/metrics/tagger.yaml:7"
    with pytest.raises(WeightsError, match=rf"^{place}: selected_tags: .*line 1: the header"):
        read_selected_tags(File(**file, place=place), WHERE)


def test_another_digest_and_another_format_are_refused(tmp_path):
    file = pinned(tmp_path / "selected_tags.csv", csv_of(ROWS))
    with pytest.raises(WeightsError, match=r"expected 0{64}"):
        read_selected_tags(File(**{**file, "sha256": "0" * 64}), WHERE)
