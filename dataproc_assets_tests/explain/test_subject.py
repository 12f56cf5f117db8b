import pytest

from dataproc_assets.explain.subject import UnknownImage, find_subject
from dataproc_assets.storage.lookup import rows_of
from dataproc_assets_tests.defs.posts import KEPT, TWIN


def row(finished, key):
    source = key.partition("/")[0]
    lake = finished.lake
    return rows_of(lake.store, lake.path("augmented", source), [key]).row(0, named=True)


def asked(finished, text):
    found = find_subject(finished.lake, text)
    return found.kind, found.keys


@pytest.mark.parametrize("key", KEPT)
def test_a_key_is_itself(finished, key):
    assert asked(finished, f" {key} ") == ("key", (key,))


def test_a_post_stands_for_its_pages(finished):
    assert asked(finished, "pixiv/100") == ("post", ("pixiv/100_p0",))


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://www.pixiv.net/artworks/100", "pixiv/100_p0"),
        ("https://www.pixiv.net/en/artworks/100", "pixiv/100_p0"),
        ("http://pixiv.net/member_illust.php?mode=medium&illust_id=101", "pixiv/101_p0"),
        ("https://phixiv.net/artworks/101", "pixiv/101_p0"),
        ("https://danbooru.donmai.us/posts/2?q=1girl", "danbooru/2"),
        ("https://cdn.donmai.us/2.png", "danbooru/2"),
    ],
)
def test_a_url_leads_to_the_images_of_its_post(finished, url, key):
    assert asked(finished, url) == ("url", (key,))


def test_an_id_of_another_site_is_not_taken_for_this_ones(finished):
    with pytest.raises(UnknownImage):
        asked(finished, "https://example.org/posts/2")


def test_an_image_id_leads_to_its_representative(finished):
    member = rows_of(finished.lake.store, finished.lake.path("members"), [TWIN[0]])
    image_id, standing = member["image_id"][0], member["representative"][0]
    assert asked(finished, image_id.upper()) == ("image_id", (standing,))


def test_digests_of_the_file_lead_to_it(finished):
    known = row(finished, KEPT[2])
    found = asked(finished, known["danbooru__pixels_sha256"])
    assert found[0] == "sha256" and KEPT[2] in found[1]
    found = asked(finished, known["danbooru__pixels_md5"])
    assert found[0] == "md5" and KEPT[2] in found[1]
    assert asked(finished, f"{2:032x}") == ("md5", ("danbooru/2",))


def test_what_nothing_goes_by_is_told_with_what_can_be_asked(finished):
    with pytest.raises(UnknownImage, match=r"nix: nothing goes by that name.*danbooru, pixiv"):
        asked(finished, "nix")
    with pytest.raises(UnknownImage, match="danbooru/99"):
        asked(finished, "danbooru/99")
