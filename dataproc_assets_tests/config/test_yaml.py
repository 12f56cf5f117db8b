from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.yaml import ConfigError, read_yaml


class Square(StrictModel):
    kind: Literal["square"]
    side: Annotated[int, Field(ge=1)]


class Circle(StrictModel):
    kind: Literal["circle"]
    radius: float


class Trust(StrictModel):
    image: Annotated[float, Field(ge=0, le=1)]
    tags: Annotated[float, Field(ge=0, le=1)]


class Model(StrictModel):
    name: str
    on: str = "todo"
    day: date | None = None
    trust: Trust
    shapes: list[Annotated[Square | Circle, Field(discriminator="kind")]] = Field(
        default_factory=list
    )
    by_name: dict[str, Trust] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named(self) -> "Model":
        if self.name == "wrong":
            raise ValueError("the name is wrong")
        return self


GOOD = """\
# a comment
name: x
trust:
  image: 0.5
  tags: 1
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "conf" / "sources" / "pixiv.yaml"


def message(path, text: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        read_yaml(path, Model)
    return str(caught.value)


def read(path, text: str) -> Model:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return read_yaml(path, Model)


def test_a_right_file_is_its_model(path):
    model = read(path, GOOD + "day: 2024-05-01\nshapes: [{kind: circle, radius: 2}]\n")
    assert (model.trust.tags, model.day) == (1.0, date(2024, 5, 1))
    assert model.shapes == [Circle(kind="circle", radius=2.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("trust", "truts"), "3: unknown key 'truts' (did you mean 'trust'?)"),
        (GOOD + "  imag: 1\n", "6: unknown key 'imag' (did you mean 'image'?)"),
        (GOOD + "zzz: 1\n", "6: unknown key 'zzz' (known here: by_name, day, name, on, shapes, "),
        (GOOD + "shapes:\n  - kind: square\n    side: 1\n    sid: 2\n",
         "9: unknown key 'sid' (did you mean 'side'?)"),
        (GOOD + "by_name:\n  a: {image: 1, tags: 1, tag: 1}\n",
         "7: unknown key 'tag' (did you mean 'tags'?)"),
        (GOOD.replace("0.5", "high"),
         "4: trust.image: Input should be a valid number (given: 'high')"),
        (GOOD.replace("0.5", "1.5"),
         "4: trust.image: Input should be less than or equal to 1 (given: 1.5)"),
        (GOOD.replace("0.5", ".nan"), "4: trust.image: Input should be a finite number"),
        (GOOD.replace("name: x", "name: 5"),
         "2: name: Input should be a valid string (given: 5)"),
        (GOOD.replace("  tags: 1\n", ""), "3: the key 'trust.tags' is missing"),
        (GOOD.replace("name: x\n", ""), "1: the key 'name' is missing"),
        (GOOD + "shapes: [{kind: square}]\n", "6: the key 'shapes.0.side' is missing"),
        (GOOD + "shapes: [{kind: square, side: 0}]\n",
         "6: shapes.0.side: Input should be greater than or equal to 1 (given: 0)"),
        (GOOD + "shapes: [{kind: cube}]\n", "6: shapes.0: Input tag 'cube' found using 'kind'"),
        (GOOD + "by_name:\n  a:\n    image: 1\n    tags: 2\n",
         "9: by_name.a.tags: Input should be less than or equal to 1 (given: 2)"),
        (GOOD + "name: y\n", "6: the key 'name' is given twice"),
        (GOOD + "  tags: 2\n", "6: the key 'tags' is given twice"),
        (GOOD + "day: 2024-13-01\n", "6: month must be in 1..12"),
        (GOOD + "day: '2024-01-01'\n", "6: day: Input should be a valid date"),
        (GOOD.replace("name: x", "name: wrong"), "1: the name is wrong"),
        (GOOD + "shapes: [\n", "7: expected the node content, but found '<stream end>'"),
        (GOOD + "\tday: 1\n", "6: found character '\\t' that cannot start any token"),
        (GOOD + "? [a, b]\n: 1\n", "6: found unhashable key"),
        ("", "1: Input should be a valid dictionary"),
        ("- 1\n", "1: Input should be a valid dictionary"),
    ],
)  # fmt: skip
def test_a_fault_is_said_with_its_line_and_the_nearest_right_name(path, text, expected):
    first = message(path, text).splitlines()[0]
    assert first.startswith(f"conf/sources/pixiv.yaml:{expected}")


def test_every_fault_has_a_line_of_its_own(path):
    wrong = message(path, GOOD.replace("0.5", "2").replace("tags: 1", "tags: -1"))
    assert [line.partition(": ")[0] for line in wrong.splitlines()] == [
        "conf/sources/pixiv.yaml:4",
        "conf/sources/pixiv.yaml:5",
    ]


@pytest.mark.parametrize("raw", [b"name: \xff\xfe\n", b"name: \x00\n"])
def test_what_is_no_text_is_named(path, raw):
    assert message(path, raw).startswith("conf/sources/pixiv.yaml: not readable as YAML: ")


def test_on_and_no_are_words_and_true_is_not(path):
    assert read(path, GOOD + "on: no\n").on == "no"
    assert "on: Input should be a valid string (given: True)" in message(path, GOOD + "on: true\n")


def test_a_part_used_twice_is_no_key_given_twice(path):
    text = GOOD.replace("trust:", "trust: &t") + "by_name:\n  a: *t\n  b: {<<: *t, image: 1}\n"
    model = read(path, text)
    assert model.by_name["a"] == model.trust
    assert model.by_name["b"] == Trust(image=1.0, tags=1.0)


def test_no_tag_makes_python_objects(path):
    text = GOOD + "day: !!python/object/apply:os.getcwd []\n"
    assert "6: could not determine a constructor" in message(path, text)


def test_a_missing_file_is_named_with_the_nearest(path):
    read(path, GOOD)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path.with_name("pixi.yaml"), Model)
    assert str(caught.value) == (
        "conf/sources/pixi.yaml: there is no such file (did you mean 'pixiv.yaml'?)"
    )
    with pytest.raises(ConfigError, match=r"no such file; there are pixiv\.yaml"):
        read_yaml(path.with_name("zzz.yaml"), Model)
    with pytest.raises(ConfigError, match=r"no such file$"):
        read_yaml(path.parent.parent / "none" / "x.yaml", Model)
