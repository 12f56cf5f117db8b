import pytest

from dataproc_assets.sources.links import pixiv_link

DATED = "https://i.pximg.net/img-original/img/2022/11/20/00/00/49"


@pytest.mark.parametrize(
    ("source", "link"),
    [
        (f"{DATED}/102932581_p0.jpg", ("102932581", 0)),
        (f"{DATED}/102932581_p12.png", ("102932581", 12)),
        (f"{DATED}/141762848-757dab01_p1.jpg", ("141762848", 1)),
        (f"{DATED}/66806629_ugoira0.jpg", ("66806629", None)),
        (
            "https://i.pximg.net/c/250x250_80_a2/img-master/img/2008/06/13/00/29/13"
            "/966412_p0_square1200.jpg",
            ("966412", 0),
        ),
        ("http://i2.pixiv.net/img76/img/snailrin/42672235_big_p2.jpg", ("42672235", 2)),
        ("http://img.pixiv.net/img/soundcross/42626136.jpg", ("42626136", None)),
        ("https://www.pixiv.net/artworks/59580629", ("59580629", None)),
        ("https://www.pixiv.net/en/artworks/59580629", ("59580629", None)),
        ("www.pixiv.net/i/59580629", ("59580629", None)),
        (
            "http://www.pixiv.net/member_illust.php?mode=medium&illust_id=966412",
            ("966412", None),
        ),
        (
            "http://www.pixiv.net/member_illust.php?illust_id=966412&amp;mode=manga_big&amp;page=4",
            ("966412", 4),
        ),
        ("mirror, see https://www.pixiv.net/artworks/1 too", ("1", None)),
    ],
)
def test_work_and_page_of_a_source(source, link):
    assert pixiv_link(source) == link


@pytest.mark.parametrize(
    "source",
    [
        None,
        "",
        "Animedia 2010-12",
        "https://twitter.com/a/status/1499364669504786436",
        "https://www.pixiv.net/users/7386235",
        "https://i.pximg.net/user-profile/img/2020/01/02/03/04/05/123_abc_170.jpg",
        "https://notpixiv.net/artworks/1",
        "https://pixiv.net.example.com/artworks/1",
        "https://www.pixiv.net/member_illust.php?id=7386235",
    ],
)
def test_other_sources_name_no_work(source):
    assert pixiv_link(source) == (None, None)
