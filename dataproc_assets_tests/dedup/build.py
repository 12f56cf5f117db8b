"""Items and configurations for the tests of this folder, and the search done the plain way."""

import itertools

import numpy as np
import polars as pl
from hypothesis import strategies as st

from dataproc_assets.config.dedup import DedupConfig
from dataproc_assets.dedup import ITEM_SCHEMA
from dataproc_assets.dedup.items import MEASURED
from dataproc_assets.dedup.quantise import integer_threshold, quantise
from dataproc_assets.models.columns import detail_bytes

DIMENSIONS = 8
SOURCES = ("danbooru", "gelbooru", "pixiv")
DETAIL = {"metric": "pixels", "floor": 5, "noise": 4, "ceiling": 80, "chroma": 40, "reach": 0.03}
SIDE = 16
SEARCH = {
    "segment_rows": 10,
    "block_rows": 64,
    "gpu_block_rows": 64,
    "prefix_dims": 3,
    "job_pairs": 0,
    "max_pairs": 10_000,
}


def make_config(**changes) -> DedupConfig:
    values = {
        "embedding": "clip",
        "cosine": 0.97,
        "phash_distance": 8,
        "variant_distance": 20,
        "detail": DETAIL,
        "link_cosine_min": 0.8,
        "order": [{"column": "trust", "direction": "descending"}],
        "search": SEARCH,
        "certificate_rows": 100,
        "certificate_seed": 1,
        "borderline_pairs": 5,
    }
    return DedupConfig.model_validate(values | changes)


def make_items(*rows: dict) -> pl.DataFrame:
    """One item a dict; what a dict leaves out is null, `keep` is true, the source is the key's."""
    full = []
    for row in rows:
        defaults = dict.fromkeys([*ITEM_SCHEMA, *MEASURED])
        defaults |= {"source": row["image_key"].split("/")[0], "keep": True}
        full.append(defaults | row)
    width = next((len(r["embedding"]) for r in full if r["embedding"] is not None), DIMENSIONS)
    schema = ITEM_SCHEMA | {"embedding": pl.Array(pl.Float32, width)}
    schema |= {"detail": pl.Array(pl.UInt8, detail_bytes(SIDE))}
    return pl.DataFrame(full, schema=schema)


def thumbnail(seed: int, spot: int = 0) -> list[int]:
    """A detail of side `SIDE`: soft patches, one cell of them `spot` levels brighter."""
    random = np.random.default_rng(seed)
    luma = random.integers(40, 200, (SIDE // 4, SIDE // 4)).repeat(4, axis=0).repeat(4, axis=1)
    luma[6, 9] += spot
    colours = random.integers(100, 150, 2 * (SIDE // 4) ** 2)
    return [*luma.ravel().tolist(), *colours.tolist()]


def at_cosine(cosine: float) -> list[float]:
    """A unit vector at this cosine from `at_cosine(1)`."""
    return [float(cosine), float(np.sqrt(1 - cosine**2)), *[0.0] * (DIMENSIONS - 2)]


def planted(rows: int, width: int, seed: int) -> np.ndarray:
    """Unit vectors float32 with a common mean, half of them near others at about the threshold."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(rows, width)) * np.arange(1, width + 1) ** -0.5
    vectors[:, 0] += 1
    for row in range(1, rows, 2):
        noise = random.normal(size=width) * np.linalg.norm(vectors[row - 1]) / np.sqrt(width)
        vectors[row] = vectors[row - 1] + noise * random.choice([0, 0.1, 0.24, 0.25, 0.26, 0.3])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def brute_force(vectors: np.ndarray, cosine: float) -> list[tuple[int, int, int]]:
    """(i, j, dot) of every pair, one after the other, in Python's integers."""
    rows = [[int(x) for x in row] for row in quantise(vectors)]
    found = []
    for i, j in itertools.combinations(range(len(rows)), 2):
        dot = sum(x * y for x, y in zip(rows[i], rows[j], strict=True))
        if dot >= integer_threshold(cosine):
            found.append((i, j, dot))
    return found


THUMBNAILS = [thumbnail(1), thumbnail(1, 4), thumbnail(1, 30), thumbnail(2)]


@st.composite
def crawls(draw: st.DrawFn, most: int = 14) -> pl.DataFrame:
    """A few items of several sources, crowded with likenesses, equal hashes, links and ties."""
    count = draw(st.integers(0, most))
    seed = draw(st.integers(0, 1000))
    random = np.random.default_rng(seed)
    centres = planted(4, DIMENSIONS, seed)
    rows = []
    for number in range(count):
        source = draw(st.sampled_from(SOURCES))
        page = draw(st.integers(0, 1))
        native = f"{number}_p{page}" if source == "pixiv" else f"{number}"
        target = draw(st.integers(0, max(count - 1, 0)))
        vector = centres[draw(st.integers(0, 3))] + random.normal(size=DIMENSIONS) * 0.06
        bits = draw(st.sampled_from([0, 0b1111, (1 << 12) - 1, (1 << 40) - 1]))
        rows.append(
            {
                "image_key": f"{source}/{native}",
                "keep": draw(st.booleans()) or draw(st.booleans()),
                "embedding": None if draw(st.integers(0, 4)) == 0 else vector.tolist(),
                "phash": None if draw(st.integers(0, 5)) == 0 else bits,
                "detail": draw(st.sampled_from([None, *THUMBNAILS])),
                "sha256": draw(st.sampled_from([None, None, "s1", "s2"])),
                "md5": draw(st.sampled_from([None, None, None, "m1", "m2"])),
                "record_md5": draw(st.sampled_from([None, None, None, "m1", "m3"])),
                "trust": draw(st.sampled_from([None, 1.0, 2.0])),
                "url": f"https://host/{number}",
                "post_url": f"https://post/{number // 2}",
                "linked_source": draw(st.sampled_from([None, None, f"https://post/{target}"])),
                "linked_pixiv_id": draw(st.sampled_from([None, str(target)])),
                "linked_pixiv_page": draw(st.sampled_from([None, 0, 1])),
                "parent_id": draw(st.sampled_from([None, str(target)])),
                "post_id": str(number),
            }
        )
    return make_items(*rows)
