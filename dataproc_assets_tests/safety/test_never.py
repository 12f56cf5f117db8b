from dataproc_assets.safety.never import ADULT_RATINGS, CHILDREN, SEXUALISED_MINORS


def test_what_is_never_released_is_there():
    named = {"loli", "shota", "toddlercon", "lolicon", "shotacon", "ロリ", "ショタ"}
    assert named <= {*SEXUALISED_MINORS}
    assert {"child", "male_child", "female_child", "aged_down"} <= {*CHILDREN}
    assert ADULT_RATINGS == ("questionable", "explicit")


def test_no_list_is_of_both():
    assert not {*CHILDREN} & {*SEXUALISED_MINORS}
    assert len({*SEXUALISED_MINORS}) == len(SEXUALISED_MINORS)
