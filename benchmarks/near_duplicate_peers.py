"""The sample crawl's cross-posts and variants by this project and by imagededup, in one run.

`make demo`, then `pip install imagededup`, then `python benchmarks/near_duplicate_peers.py`. Every
side sees the same pictures: those that the crawl's own tables keep or drop with pixels. A pair of
pictures that the ground truth calls one and the side joins is found; a pair that it joins and the
ground truth does not is wrong. imagededup's own pretrained network is downloaded from the network;
here its CNN method takes the same CLIP tower as the project, at its default threshold (0.9) and at
the project's. Without imagededup only the project is shown, and that is said.
"""

import argparse
import logging
import time
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import yaml

from dataproc_assets.config.metrics import OpenClip
from dataproc_assets.config.project import load_project
from dataproc_assets.jobs.decode import decode
from dataproc_assets.models.encoder import load_clip
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.lake import Lake

TRUTH = Path(__file__).parent.parent / "sample_crawl" / "ground_truth.yaml"
Pairs = set[tuple[str, str]]


def pairs_of(keys: list[str]) -> Pairs:
    """Every two of some keys."""
    return set(combinations(sorted(keys), 2))


def read_truth(keys: set[str]) -> tuple[Pairs, Pairs]:
    """Pairs that are one picture, and those that must stay apart, among the compared."""
    classes = yaml.safe_load(TRUTH.read_text(encoding="utf-8"))["classes"]
    same, apart = set(), set()
    for group in classes["cross_posts"]["groups"]:
        same |= pairs_of([member["key"] for member in group["members"]])
    for name in classes:
        for twins in classes[name].get("twins", []):
            same |= pairs_of(twins)
    for group in classes["variants"]["groups"]:
        apart |= pairs_of(group["keys"])
    same, apart = ({p for p in some if set(p) <= keys} for some in (same, apart))
    return same, apart - same


def write_pictures(lake: Lake, folder: Path) -> dict[str, str]:
    """Every scored picture as a PNG; file name -> key."""
    limits = lake.project.profile.decode
    names = {}
    scored = [
        lake.read("augmented", source).filter(pl.col(f"{source}__pixels_phash").is_not_null())
        for source in sorted(lake.project.sources)
    ]
    keys = pl.concat([table.select("image_key") for table in scored])
    addresses = lake.read_all("inventory").join(keys, on="image_key").sort("image_key").collect()
    for row in addresses.iter_rows(named=True):
        name = f"{len(names):06d}.png"
        data = read_address(row["uri"], row["offset"], row["length"], limits.max_bytes)
        decode(data, limits).image.save(folder / name)
        names[name] = row["image_key"]
    return names


def ours(lake: Lake) -> Pairs:
    """The pairs of each component."""
    components = lake.read("members").group_by("component").agg("image_key").collect()
    return {pair for keys in components["image_key"] for pair in pairs_of(keys.to_list())}


def by_hash(folder: Path, names: dict[str, str]) -> Pairs:
    """imagededup's PHash at its default distance of 10 bits."""
    from imagededup.methods import PHash

    found = PHash(verbose=False).find_duplicates(image_dir=str(folder), num_enc_workers=0)
    return _named(found, names)


def by_network(folder: Path, names: dict[str, str], tower: OpenClip, cosine: float) -> Pairs:
    """imagededup's CNN with the project's CLIP tower."""
    logging.disable(logging.INFO)
    from imagededup.methods import CNN
    from imagededup.utils import CustomModel
    from open_clip.transform import image_transform

    clip = load_clip(tower.encoder, f"metric {tower.name}")
    size = clip.visual.image_size
    network = CustomModel(
        name="clip", model=clip.visual, transform=image_transform(size, is_train=False)
    )
    method = CNN(verbose=False, model_config=network)
    found = method.find_duplicates(
        image_dir=str(folder), min_similarity_threshold=cosine, num_enc_workers=0
    )
    return _named(found, names)


def _named(found: dict[str, list[str]], names: dict[str, str]) -> Pairs:
    return {
        (min(names[a], names[b]), max(names[a], names[b]))
        for a, others in found.items()
        for b in others
    }


def show(side: str, joined: Pairs, same: Pairs, apart: Pairs, seconds: float | None) -> None:
    """One line a side. A pair that no list of the ground truth names is no cross-post."""
    hits = len(joined & same)
    precision = hits / len(joined) if joined else 1.0
    took = "" if seconds is None else f"  {seconds:6.1f} s"
    print(
        f"{side:34} recall {hits / len(same):.3f}  precision {precision:.3f}  found {hits} of "
        f"{len(same)}  wrong {len(joined - same)}  variants joined {len(joined & apart)} of "
        f"{len(apart)}{took}"
    )


def main() -> None:
    """All sides on the same pictures."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    lake = Lake(load_project())
    tower = lake.project.metrics[lake.project.dedup.embedding]
    assert isinstance(tower, OpenClip)
    if lake.info("dedup_cross") is None:
        print("not measured: the sample crawl's tables are not there, run `make demo` first")
        return
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = write_pictures(lake, folder)
        same, apart = read_truth(set(names.values()))
        print(f"{len(names)} pictures, {len(same)} pairs posted twice, {len(apart)} of variants")
        compared = {p for p in ours(lake) if set(p) <= set(names.values())}
        show("dataproc_assets", compared, same, apart, None)
        cosines = (0.9, lake.project.dedup.cosine)
        sides = {"imagededup PHash, 10 bits": lambda: by_hash(folder, names)} | {
            f"imagededup CNN, our CLIP, {cosine:g}": lambda c=cosine: by_network(
                folder, names, tower, c
            )
            for cosine in cosines
        }
        for side, search in sides.items():
            start = time.perf_counter()
            try:
                joined = search()
            except ImportError as error:
                print(f"{side}: not measured ({error})")
                continue
            show(side, joined, same, apart, time.perf_counter() - start)


if __name__ == "__main__":
    main()
