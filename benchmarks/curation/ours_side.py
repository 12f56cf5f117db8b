"""Our side: the bodies of the assets on a lake of two sources, and the floor below them."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import yaml

from benchmarks.curation.given import Given
from benchmarks.curation.steps import SOURCES, Steps
from dataproc_assets.config.project import CONF, Project, load_project
from dataproc_assets.defs import curation, metadata, prompts
from dataproc_assets.defs.image_parts import write_images
from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.tables import TableWriter, present_table, read_part

RECIPE = "animagine4"


def configure(folder: Path, root: Path, buckets: int) -> Project:
    """The shipped configuration for two sources and no captions, with tables below `root`.

    The recipe says nothing of quality: the peers' percentiles are others.
    """
    conf = folder / "conf"
    if not conf.exists():
        shutil.copytree(CONF, conf)
    for kind, keep in (("sources", SOURCES), ("recipes", (RECIPE,))):
        for path in (conf / kind).iterdir():
            if path.stem not in keep:
                path.unlink()
    (conf / "metrics" / "caption.yaml").unlink(missing_ok=True)
    _change(conf / "profiles" / "local.yaml", storage={"root": str(root), "table_buckets": buckets})
    text = yaml.safe_load((conf / "curation.yaml").read_text())
    for named in (text["augment"]["tiers"]["scores"], text["merge"]["tag_p"]):
        for name in set(named) - {*SOURCES, "default"}:
            del named[name]
    (conf / "curation.yaml").write_text(yaml.safe_dump(text, allow_unicode=True))
    recipe = yaml.safe_load((conf / "recipes" / f"{RECIPE}.yaml").read_text())
    recipe["groups"] = [group for group in recipe["groups"] if group["name"] != "quality"]
    (conf / "recipes" / f"{RECIPE}.yaml").write_text(yaml.safe_dump({**recipe, "tier_words": {}}))
    release = yaml.safe_load((conf / "releases" / "demo.yaml").read_text())
    (conf / "releases" / "demo.yaml").write_text(yaml.safe_dump({**release, "recipes": [RECIPE]}))
    return load_project(conf, profile="local")


def _change(path: Path, **sections: dict[str, Any]) -> None:
    text = yaml.safe_load(path.read_text())
    for name, changes in sections.items():
        text[name] |= changes
    path.write_text(yaml.safe_dump(text))


class Ours(Steps):
    """What the assets do, but for their checks and the quarantine."""

    def __init__(self, inputs: Path, outputs: Path, given: Given) -> None:
        super().__init__(inputs, outputs, given)
        self.lake = Lake(given.project)
        self.context = dg.build_asset_context()

    def curate(self) -> None:
        """Merged, prefiltered and augmented of both sources."""
        for source in SOURCES:
            for asset in (metadata.merged, curation.prefiltered, curation.augmented):
                asset(self.context, self.lake, source)

    def images(self) -> None:
        """One row an image."""
        nothing = pl.DataFrame(schema={"image_key": pl.String})
        write_images(self.lake, {}, nothing, self.outputs / "spill", lambda rows: None)

    def prompts(self) -> None:
        """Prompts of the recipe."""
        prompts.prompts(self.context, self.lake, RECIPE)


class Floor(Steps):
    """What can not be saved: to read the inputs of our tables and to write them, unchanged.

    `spent` counts that alone, not the reading of what is written.
    """

    def __init__(self, inputs: Path, outputs: Path, given: Given) -> None:
        super().__init__(inputs, outputs, given)
        self.lake = Lake(given.project)
        self.spent = [0.0, 0.0]

    def curate(self) -> None:
        """Merged, prefiltered and augmented of both sources."""
        for source in SOURCES:
            inputs = [(name, source) for name in ("records", "metrics_merged", "todo")]
            self._copy("merged", source, inputs)
            self._copy("prefiltered", source, [("merged", source)])
            self._copy("augmented", source, [("prefiltered", source)])

    def images(self) -> None:
        """One row an image."""
        every = [("augmented", source) for source in SOURCES]
        self._copy("images", None, [("members", None), *every])

    def prompts(self) -> None:
        """Prompts of the recipe."""
        self._copy("prompts", RECIPE, [("images", None)])

    def _copy(self, table: str, key: str | None, inputs: list[tuple[str, str | None]]) -> None:
        path = layout.stage_path(table, key)
        info = present_table(self.lake.store, path)
        count = len(info.buckets)
        writer = TableWriter(self.lake.store, "floor", key=info.key, buckets=count)
        for part in range(count):
            rows = read_part(self.lake.store, path, count, part, info).collect()
            with self._timed():
                for name in inputs:
                    read_part(self.lake.store, layout.stage_path(*name), count, part).collect()
                writer.add(rows, count, part)
        with self._timed():
            writer.finish()
        shutil.rmtree(Path(self.lake.store.url) / "floor")

    def _timed(self) -> "_Timed":
        return _Timed(self.spent)


class _Timed:
    """Adds the seconds and the processor's seconds of a block."""

    def __init__(self, spent: list[float]) -> None:
        self._spent = spent

    def __enter__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def __exit__(self, *error: object) -> None:
        self._spent[0] += time.perf_counter() - self._start[0]
        self._spent[1] += time.process_time() - self._start[1]


def made(lake: Lake) -> Iterator[pl.DataFrame]:
    """Our prompts, part by part."""
    for rows in lake.read_buckets("prompts", RECIPE):
        yield rows.select("image_id", "prompt", "tokens").collect()
