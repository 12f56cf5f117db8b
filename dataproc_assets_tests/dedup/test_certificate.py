import polars as pl

from dataproc_assets.dedup import certificate, find_edges
from dataproc_assets_tests.dedup.build import make_config, make_items, planted

CONFIG = make_config(certificate_rows=50)


def figures(*search, **sample) -> dict:
    return certificate(*search, **sample).figures


def crawl() -> pl.DataFrame:
    rows = [
        {"image_key": f"pixiv/{n}_p0", "embedding": vector.tolist(), "phash": 0b111 << (n % 40)}
        for n, vector in enumerate(planted(60, 8, 2))
    ]
    return make_items(*rows, {"image_key": "pixiv/never_p0"})


def test_a_whole_search_is_certified():
    items = crawl()
    edges = find_edges(items, CONFIG)
    report = figures(items, edges, CONFIG)
    assert report["rows"] == 61
    assert report["scored"] == 60
    assert report["pairs_compared"] == 60 * 59 // 2
    assert report["sample_rows"] == 50
    assert report["sample_pairs"] > 10
    assert (report["missed"], report["unfounded"], report["recall"]) == (0, 0, 1.0)
    assert sum(report["edges"].values()) == len(edges)
    assert report["largest_component"] > 1


def test_a_lost_and_an_invented_edge_are_found():
    items = crawl()
    edges = find_edges(items, CONFIG)
    lost = figures(items, edges[1:], CONFIG, sample=60)
    assert lost["missed"] == 1
    assert lost["recall"] == 1 - 1 / len(edges)
    invented = edges[:1].with_columns(a=pl.lit("pixiv/0_p0"), b=pl.lit("pixiv/never_p0"))
    assert figures(items, pl.concat([edges, invented]), CONFIG, sample=60)["unfounded"] == 1


def test_the_sample_is_drawn_from_keys_not_from_their_order():
    items = crawl()
    edges = find_edges(items, CONFIG)
    report = figures(items, edges, CONFIG, sample=5)
    assert figures(items.reverse(), edges, CONFIG, sample=5) == report
    other_seed = make_config(certificate_seed=2)
    assert figures(items, edges, other_seed, sample=5) != report


def test_the_histogram_counts_pairs_above_the_threshold():
    items = crawl()
    edges = find_edges(items, CONFIG)
    report = figures(items, edges, CONFIG, sample=60)
    above = sum(row["pairs"] for row in report["histogram"] if row["from"] >= CONFIG.cosine)
    recorded = edges.filter(pl.col("cosine") >= CONFIG.cosine)
    assert above == 2 * len(recorded)  # in a full sample each pair is met from both sides


def test_nothing_to_search_is_certified_too():
    items = crawl()[:0]
    report = figures(items, find_edges(items, CONFIG), CONFIG)
    assert (report["recall"], report["largest_component"]) == (1.0, 0)


def test_the_pairs_nearest_the_threshold_are_shown_on_both_sides():
    items = crawl()
    edges = find_edges(items, CONFIG)
    config = make_config(certificate_rows=60)
    shown = certificate(items, edges, config).nearest
    above, below = (
        shown.filter(pl.col("kind").is_not_null()),
        shown.filter(pl.col("kind").is_null()),
    )
    assert above.height == below.height == config.borderline_pairs
    assert above["cosine"].min() >= 0.97 > below["cosine"].max() > 0.92
    assert set(above["cosine"]) == set(edges["cosine"].sort().head(above.height))
    assert certificate(items.reverse(), edges, config).nearest.equals(shown)
