import json

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.defs.sensors.cursor import Cursor, asked_already, failed_run


def test_a_state_is_asked_for_once():
    cursor = Cursor()
    key = cursor.ask("pixiv", "one")
    assert key and key.startswith("pixiv-") and cursor.key("pixiv") == key
    assert Cursor(cursor.text).ask("pixiv", "one") is None
    assert Cursor(cursor.text).ask("danbooru", "one") not in (None, key)


def test_a_tick_repeated_with_the_cursor_it_had_gives_the_same_key():
    before = Cursor()
    before.ask("pixiv", "one")
    first, second = (Cursor(before.text).ask("pixiv", "two") for _ in range(2))
    assert first == second != before.key("pixiv")
    assert Cursor().ask("pixiv", "one", "made") == Cursor().ask("pixiv", "one", "made")


def test_a_state_that_comes_back_is_another_request():
    cursor, keys = Cursor(), []
    for state in ("one", "two", "one", "two"):
        keys.append(cursor.ask("pixiv", state))
        cursor = Cursor(cursor.text)
    cursor.settle("pixiv")
    keys.append(Cursor(cursor.text).ask("pixiv", "two"))
    assert None not in keys and len(set(keys)) == 5


def test_a_lost_cursor_takes_what_is_made_in_its_place():
    assert Cursor().ask("pixiv", "two", "one") != Cursor().ask("pixiv", "two", "three")


@pytest.mark.parametrize("of", ["one", "two"])
def test_what_is_noted_is_made_again_where_it_is_of_something_else(of):
    cursor = Cursor()
    assert cursor.note("pixiv", "one", lambda: 1.5) == 1.5
    assert Cursor(cursor.text).note("pixiv", of, lambda: 2.5) == (1.5 if of == "one" else 2.5)


def test_the_cursor_of_an_older_version_is_an_empty_one():
    plain = "3f2a" * 16  # the digest alone, as it once was
    assert Cursor(plain).text == Cursor().text
    cursor = Cursor()
    cursor.ask("pixiv", "one")
    other = json.loads(cursor.text) | {"version": 0}
    assert Cursor(json.dumps(other)).text == Cursor().text


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)
contents = st.fixed_dictionaries(
    {}, optional={"version": st.just(1) | values, "asked": values, "notes": values}
)


@given(st.none() | st.text() | contents.map(json.dumps))
def test_no_text_is_an_error(text):
    cursor = Cursor(text)
    assert Cursor(cursor.text).text == cursor.text
    assert cursor.ask("new", "state") and cursor.note("new", "of", lambda: 1) == 1
    for item in "ab":
        cursor.ask(item, "state")
        cursor.note(item, "of", lambda: 1)
        cursor.settle(item)


def test_a_run_that_failed_is_named():
    with dg.DagsterInstance.ephemeral() as instance:
        runs = {
            key: instance.create_run_for_job(_job, tags={"dagster/run_key": key}, status=status)
            for key, status in (
                ("bad", dg.DagsterRunStatus.FAILURE),
                ("good", dg.DagsterRunStatus.SUCCESS),
            )
        }
        failed = failed_run(instance)
        said = asked_already("the intake", "bad", failed)
        assert said == (
            f"the intake was asked for and failed: look at run {runs['bad'].run_id}, "
            "and re-execute it"
        )
        for key in ("good", "none"):
            assert asked_already("the intake", key, failed) == "the intake was asked for already"


@dg.job
def _job():
    pass
