"""The rules of safety, one table a rule: what is caught, and what comes near and passes.

Each case is a cluster of posts of one picture, with what their records say; the picture's prompt
itself is harmless. Beside it stands why it is dropped, or None where it may be released.
"""

from collections.abc import Iterator

import polars as pl
import pytest

from dataproc_assets.config.safety import (
    AiConfig,
    ContentConfig,
    OptOutConfig,
    SafetyConfig,
)
from dataproc_assets.safety.facts import add_facts, machine_facts, row_facts
from dataproc_assets.safety.flags import component_flags, quarantined
from dataproc_assets.safety.verdict import verdict
from dataproc_assets_tests.transforms.frames import changed, conf, rows

SAFETY = conf("safety", SafetyConfig)
NEVER, CHILD = "never_tag", "child_tag_in_adult"
EMPTY = SafetyConfig(
    ai=AiConfig(tags=[]),
    opt_out=OptOutConfig(),
    banned_artist_tags=[],
    active_statuses=["active"],
    banned_statuses=[],
    content=ContentConfig(),
    banned_words=[],
    balance=SAFETY.balance,
)


def judge_all(clusters, config=SAFETY, captions=None):
    """For each cluster of posts the reason for which its picture is dropped.

    `captions` are what the captioner said of the first post of each.
    """
    named = [
        [
            {**post, "image_key": f"{post.get('source', 'pixiv')}/{n}-{m}"}
            for m, post in enumerate(posts)
        ]
        for n, posts in enumerate(clusters)
    ]
    keys = [posts[0]["image_key"] for posts in named]
    component = [posts[0]["image_key"] for posts in named for _ in posts]
    facts = row_facts(rows(*[post for posts in named for post in posts]), config)
    said = {"image_key": keys, "caption_text": captions or [None] * len(keys)}
    seen = pl.DataFrame(said, schema_overrides={"caption_text": pl.String})
    facts = add_facts(facts, machine_facts(seen, config))
    flags = component_flags(facts.with_columns(component=pl.Series(component)).lazy()).collect()
    harmless = {"caption": "a girl", "title": "a girl", "rating": "general"}
    images = pl.DataFrame({"image_id": keys, "representative": keys}).with_columns(
        *[pl.lit(value).alias(name) for name, value in harmless.items()],
        opt_out=pl.lit(False),
        ai=pl.lit("unknown"),
        tags=pl.concat_list(pl.struct(tag=pl.lit("1girl"), category=pl.lit("general"))),
    )
    prompts = pl.DataFrame({"image_id": keys}).with_columns(
        variant=pl.lit(0),
        prompt=pl.lit("1girl"),
        caption=pl.lit("a girl"),
        groups=pl.concat_list(
            pl.struct(group=pl.lit("general"), tags=pl.concat_list(pl.lit("1girl")))
        ),
    )
    found = verdict(prompts, images, flags, config)
    held = quarantined(flags.lazy()).collect()["image_key"]
    never = found["drop_reason"].is_in([NEVER, CHILD]).fill_null(False)
    assert set(held) & set(keys) == set(found.filter(never)["image_id"])
    assert found.filter(never)["prompt"].null_count() == never.sum() == found["prompt"].null_count()
    return found["drop_reason"].to_list()


def judge(*posts, config=SAFETY, caption=None):
    (reason,) = judge_all([posts], config, [caption])
    return reason


def tags(*names, category="general", **values):
    return {f"tags_{category}": list(names), **values}


def seen(tag, p=0.02):
    return {"tagger_tags": [{"tag": tag, "category": "general", "p": p}]}


MINORS = [
    # a whole tag, in any spelling and any category
    (tags("loli"), NEVER),
    (tags("LoLi"), NEVER),
    (tags("ｌｏｌｉ"), NEVER),
    (tags("#loli"), NEVER),
    (tags("lolis"), NEVER),
    (tags("toddler-con"), NEVER),
    (tags("Shota Con"), NEVER),
    (tags("lolicon", category="meta"), NEVER),
    (tags("shota", category="character"), NEVER),
    (tags("shota", category="copyright"), NEVER),
    (tags("loli", category="artist"), NEVER),
    # Japanese, Chinese and Korean forms, and their compounds
    (tags("ロリ"), NEVER),
    (tags("ﾛﾘ"), NEVER),
    (tags("ショタ"), NEVER),
    (tags("ロリコン"), NEVER),
    (tags("合法ロリ"), NEVER),
    (tags("ロリ巨乳"), NEVER),
    (tags("萝莉"), NEVER),
    (tags("로리"), NEVER),
    # what a model saw, however unsure it was
    (seen("loli"), NEVER),
    (seen("shota", p=0.0), NEVER),
    # hidden in a title or a caption
    ({"title": "My Loli"}, NEVER),
    ({"title": "かわいい #ロリ"}, NEVER),
    ({"caption": "1girl, loli, smile"}, NEVER),
    ({"caption": "1girl_loli_smile"}, NEVER),
    ({"caption": "so cute #LOLI!!"}, NEVER),
    ({"caption": "#MyArt #CuteLoliArt"}, NEVER),
    ({"caption": "#MyArt #LolitaFashionArt #lolipopArt"}, None),
    ({"caption": "ロリの絵です"}, NEVER),
    ({"caption": "lo\u200bli"}, NEVER),
    # near misses
    (tags("lolita_fashion", "gothic_lolita", "sweet lolita"), None),
    (tags("lollipop", "lolipop", "shotaro", "shotaro?"), None),
    (tags("ロリータ", "ロリィタ", "ゴスロリータ服", "ポロリ", "トロリー", "正太郎"), None),
    ({"title": "Shotaro in lolita fashion", "caption": "a lollipop. ロリータ服、カロリー"}, None),
    ({"artist_names": ["loli", "ロリ"]}, None),
    (seen("lolita_fashion", p=0.99), None),
]
CHILDREN = [
    # by the rating: a child is no reason by itself
    (tags("child", rating="questionable"), CHILD),
    (tags("child", rating="explicit"), CHILD),
    (tags("child", "R-18"), CHILD),
    (tags("child", "R-18G", rating="general"), CHILD),
    (tags("child", rating="sensitive"), None),
    (tags("child", rating="general"), None),
    (tags("child", rating=None), None),
    # by the spelling
    (tags("male child", rating="explicit"), CHILD),
    (tags("Female-Child", rating="explicit"), CHILD),
    (tags("AGED_DOWN", rating="explicit"), CHILD),
    (tags("ｃｈｉｌｄ", rating="explicit"), CHILD),
    (tags("children", rating="explicit"), CHILD),
    (tags("幼女", rating="explicit"), CHILD),
    (tags("子供", rating="explicit"), CHILD),
    ({"title": "aged down", "rating": "explicit"}, CHILD),
    ({"caption": "smile, male child, hat", "rating": "explicit"}, CHILD),
    ({"caption": "smile, aged_down", "rating": "explicit"}, CHILD),
    ({**seen("child"), "rating": "explicit"}, CHILD),
    # near misses
    (tags("child_of_light", "childhood", "children's_day", rating="explicit"), None),
    ({"title": "childhood memories, aged, sitting down", "rating": "explicit"}, None),
]
OTHERS = [
    ({"ai": "yes"}, "ai"),
    ({"ai": "no"}, None),
    ({"ai": "unknown"}, None),
    (tags("ai-generated", category="meta"), "ai"),
    (tags("ai_generated", category="meta"), "ai"),
    (tags("AI-Assisted", category="meta"), "ai"),
    (tags("ai_assisted"), "ai"),
    (tags("AI生成"), "ai"),
    (tags("ＡＩイラスト"), "ai"),
    (tags("ai_(character)", "fan_art"), None),
    (tags("optout_artist", category="artist"), "opt_out"),
    ({"artist_names": ["Someone", "OptOut Artist"]}, "opt_out"),
    ({"artist_names": ["@optout_artist"]}, "opt_out"),
    ({"artist_ids": ["34760576"]}, "opt_out"),
    ({"artist_ids": ["34760576"], "source": "danbooru"}, None),
    ({"artist_ids": ["3476057"]}, None),
    ({"artist_names": ["optout_artists"]}, None),
    (tags("paid_reward", category="meta"), "opt_out"),
    (tags("banned_artist", category="artist"), "banned_artist"),
    ({"status": "banned"}, "banned_status"),
    ({"status": "deleted"}, "inactive"),
    ({"status": "pending"}, "inactive"),
    ({"status": "flagged"}, "inactive"),
    ({"status": "hidden"}, "inactive"),
    ({"status": None}, None),
    (tags("cosplay_photo"), "banned_content"),
    (tags("third-party_edit", category="meta"), "banned_content"),
    (tags("text-only_page", category="meta"), "banned_content"),
    (tags("cosplay"), None),
    (tags("duplicate", "lowres", "watermark", "jpeg_artifacts", category="meta"), None),
    ({"caption": "a FORBIDDENWORD!"}, "banned_word"),
    (tags("forbiddenword"), "banned_word"),
    ({"caption": "unforbiddenwordy"}, None),
]


CASES = [*MINORS, *CHILDREN, *OTHERS]
HITS = [case for case in CASES if case[1]]
FORBIDDEN = [case for case in HITS if case[1] in (NEVER, CHILD)]
TWIN = {"source": "danbooru"}  # says nothing against itself


def dropped(post):
    """As a record that intake dropped: it is read all the same."""
    return {**post, "intake_drop": "few_likes", "intake_drops": ["few_likes"]}


def each(cases):
    """The cases of a table by their place, named by what they are."""
    names = [f"{post} -> {reason}" for post, reason in cases]
    return pytest.mark.parametrize("place", range(len(cases)), ids=names)


@pytest.fixture(scope="module")
def reasons():
    """All cases judged: by themselves, without any setting, and as the dropped twin of a post."""
    return {
        "alone": judge_all([[post] for post, _ in CASES]),
        "unset": judge_all([[post] for post, _ in FORBIDDEN], EMPTY),
        "twin": judge_all([[TWIN, dropped(post)] for post, _ in HITS]),
    }


@each(CASES)
def test_a_post_and_why_it_is_dropped(reasons, place):
    assert reasons["alone"][place] == CASES[place][1]


@each(FORBIDDEN)
def test_no_setting_lets_a_hit_through(reasons, place):
    assert reasons["unset"][place] == FORBIDDEN[place][1]


@each(HITS)
def test_a_hit_in_a_record_dropped_at_intake_is_one_of_the_whole_cluster(reasons, place):
    shown_elsewhere = HITS[place][1] == "inactive"
    assert reasons["twin"][place] == (None if shown_elsewhere else HITS[place][1])


@pytest.mark.parametrize(
    "posts",
    [
        # one source says what it is, another how it is rated
        (tags("child", rating="general"), {"rating": "explicit"}),
        ({"rating": "questionable"}, tags("child", rating="general")),
        (tags("aged_down", rating=None), tags("R-18", rating=None)),
        ({"caption": "two children", "rating": "general"}, {"rating": "explicit"}),
        ({**seen("child"), "rating": "general"}, {"rating": "general"}, {"rating": "explicit"}),
    ],
)
def test_ratings_and_tags_of_different_posts_meet(posts):
    assert judge(*posts) == CHILD
    assert judge(*reversed(posts)) == CHILD
    assert judge(*posts, config=EMPTY) == CHILD


@pytest.mark.parametrize(
    ("caption", "reason"),
    [("a loli in a dress", NEVER), ("ロリ", NEVER), ("a child", CHILD), ("lolita fashion", None)],
)
def test_what_the_captioner_said_of_the_one_it_saw_counts_for_all(caption, reason):
    posts = ({"source": "danbooru", "rating": "general"}, {"rating": "explicit"})
    assert judge(*posts, caption=caption) == reason
    assert judge(*posts, caption=caption, config=EMPTY) == reason


def emptied_fields() -> Iterator[tuple[str, SafetyConfig]]:
    """The shipped configuration with each list emptied that may be empty."""
    for name, value in SAFETY.model_dump().items():
        if isinstance(value, list) and name != "active_statuses":
            yield name, changed(SAFETY, **{name: []})
        elif isinstance(value, dict) and name != "balance":
            for inner, items in value.items():
                assert isinstance(items, list)
                yield f"{name}.{inner}", changed(SAFETY, **{name: {**value, inner: []}})


@pytest.mark.parametrize(("name", "config"), [*emptied_fields()], ids=lambda value: str(value)[:30])
def test_each_list_alone_takes_nothing_from_the_never_rules(name, config):
    posts = [tags("loli"), {"title": "ショタ"}, tags("child", rating="explicit")]
    assert judge_all([[post] for post in posts], config) == [NEVER, NEVER, CHILD]


def test_the_walk_over_the_configuration_meets_every_field():
    names = {name.partition(".")[0] for name, _ in emptied_fields()}
    assert names == {*SafetyConfig.model_fields} - {"active_statuses", "balance"}
    everything = changed(SAFETY, active_statuses=["active", "banned", "deleted"])
    assert judge(tags("loli"), config=everything) == NEVER
