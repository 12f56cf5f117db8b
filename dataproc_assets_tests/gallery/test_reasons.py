import pytest

from dataproc_assets.gallery.reasons import count_reasons, dropped, reason_name, refused_label
from dataproc_assets.gallery.tables import canonical
from dataproc_assets.safety.flags import DROP_FLAGS, NEVER_FLAGS, REPORT_FLAGS

TAKEDOWN = "takedown"  # as other tools' tables, and this one's older ones, say it


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("duplicate of pixiv/1_p0: md5", "duplicate"),
        ("too_many_pixels: 90000x90000", "too_many_pixels"),
        ("Opt-Out of Some Artist", "opt_out"),
        ("artist opted out: Some Artist", "opt_out"),
        ("takedown 2024-01-01", "takedown"),
        (None, "unknown"),
        (": nothing before it", "unknown"),
    ],
)
def test_a_name_holds_no_particulars(reason, name):
    assert reason_name(reason) == name


def test_all_that_safety_and_intake_say_about_consent_refuses_the_picture():
    consent = {*NEVER_FLAGS, TAKEDOWN, "opt_out", "banned_artist", "banned_status"}
    assert {flag for flag in (*DROP_FLAGS, *REPORT_FLAGS, TAKEDOWN) if refused_label(flag)} == (
        consent
    )


def test_counts_are_over_all_rows_and_name_their_stage(world):
    tables = canonical(world.tables)
    reasons = count_reasons(dropped(tables), ["danbooru", "pixiv", "twitter"])
    found = [(reason.stage, reason.name, reason.total, reason.rows) for reason in reasons]
    assert found[0] == ("curation", "clip_score", 10, {"danbooru": 0, "pixiv": 10, "twitter": 0})
    assert ("dedup", "duplicate", 1, {"danbooru": 1, "pixiv": 0, "twitter": 0}) in found
    recipe = {name: total for stage, name, total, _ in found if stage == "recipe animagine"}
    assert recipe == {"content": 1, "quarantine": 1, "opt_out": 1}
    pictures = {reason.name: reason.shows_pictures for reason in reasons}
    assert (pictures["takedown"], pictures["clip_score"]) == (False, True)
    assert len({reason.anchor for reason in reasons}) == len(reasons)
