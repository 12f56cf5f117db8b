"""A world of two sources and ten small pictures, scored by hand, in a folder of its own."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import yaml
from PIL import Image

from dataproc_assets.config.metrics import Pixels
from dataproc_assets.config.project import CONF, load_project
from dataproc_assets.definitions import build
from dataproc_assets.defs.stage import Check, outcomes
from dataproc_assets.defs.tables import late_folder, late_pending
from dataproc_assets.jobs.decode import decode
from dataproc_assets.models.columns import metric_columns
from dataproc_assets.models.pixels import PixelFacts, facts_reading
from dataproc_assets.run import Step, stale_steps, terminal
from dataproc_assets.storage import layout
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.units import read_units, unit_rows

TWIN = ("pixiv/100_p0", "danbooru/1")  # one picture, posted on both
KEPT = ("pixiv/100_p0", "pixiv/101_p0", "danbooru/2")
FEW_BOOKMARKS = "pixiv/102_p0"  # dropped by its record, never scored
LOW_SCORE = "pixiv/103_p0"  # dropped after scoring
NO_IMAGE = "pixiv/104_p0"
AI, NEVER, OPT_OUT, BANNED_WORD = "danbooru/3", "danbooru/4", "danbooru/5", "danbooru/6"
SIDE = 256
CLIP_SCORES = {LOW_SCORE: 0.5}


def picture(number: int) -> bytes:
    """A PNG of 256 x 256: a gradient with a bar whose place depends on the number."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    pixels = np.stack([x, y, (x + y + number * 40) % 256], axis=-1).astype(np.uint8)
    pixels[:, number * 23 % 220 : number * 23 % 220 + 30] = 255 - 20 * (number % 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pixiv_record(number: int, **changes: Any) -> dict[str, Any]:
    """A work of one page, as the crawler writes it."""
    return {
        "id": number,
        "num": 0,
        "type": "illust",
        "title": f"work {number}",
        "caption": "",
        "create_date": "2019-05-01T12:00:00+09:00",
        "width": SIDE,
        "height": SIDE,
        "x_restrict": 0,
        "illust_ai_type": 1,
        "total_bookmarks": 5000 + number,
        "tags": ["1girl", "風景"],
        "user": {"id": 7, "name": "Ada", "account": "ada"},
        **changes,
    }


def danbooru_record(number: int, **changes: Any) -> dict[str, Any]:
    """A post, as the crawler writes it."""
    return {
        "id": number,
        "created_at": "2020-02-01T00:00:00.000+00:00",
        "score": 10 + number,
        "fav_count": 100 + number,
        "rating": "g",
        "md5": f"{number:032x}",
        "file_ext": "png",
        "file_url": f"https://cdn.donmai.us/{number}.png",
        "image_width": SIDE,
        "image_height": SIDE,
        "tag_string_general": "1girl solo",
        "tag_string_character": "hatsune_miku",
        "tag_string_copyright": "vocaloid",
        "tag_string_artist": "bo",
        "tag_string_meta": "",
        **changes,
    }


DANBOORU = {
    1: danbooru_record(1),
    2: danbooru_record(2),
    3: danbooru_record(3, tag_string_meta="ai-generated"),
    4: danbooru_record(4, rating="e", tag_string_general="1girl loli"),
    5: danbooru_record(5, tag_string_artist="optout_artist"),
    6: danbooru_record(6, tag_string_general="1girl forbiddenword"),
}
PIXIV = {
    100: pixiv_record(100),
    101: pixiv_record(101),
    102: pixiv_record(102, total_bookmarks=3),
    103: pixiv_record(103),
    104: pixiv_record(104),
}


@dataclass
class World:
    """Configuration, crawl and storage below `home`, and a Dagster instance in memory.

    `said` are the lines that its runs showed to a person.
    """

    home: Path
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    said: list[str] = field(default_factory=list)
    _lake: Lake | None = None
    _definitions: dg.Definitions | None = None

    @classmethod
    def create(cls, home: Path) -> "World":
        """The configuration and an empty bucket."""
        world = cls(home)
        shutil.copytree(CONF, world.conf)
        for path in [*(world.conf / "sources").iterdir(), *(world.conf / "recipes").iterdir()]:
            if path.stem not in ("pixiv", "danbooru", "animagine4"):
                path.unlink()
        world.change("profiles/local.yaml", _here(home))
        world.change("curation.yaml", _two_sources)
        world.change("releases/demo.yaml", _one_recipe)
        world.bucket.mkdir()
        return world

    @classmethod
    def crawled(cls, home: Path) -> "World":
        """A world whose crawl lies on the bucket, and nothing is made of it."""
        world = cls.create(home)
        for number, record in PIXIV.items():
            if number != 104:
                world.add_pixiv(number, record)
        world.put("dataset-pixiv/resized_1/104_p0.json", json.dumps(PIXIV[104]).encode())
        world.put_danbooru(DANBOORU)
        return world

    @classmethod
    def finished(cls, home: Path) -> "World":
        """A world in which everything is made, up to the gallery."""
        world = cls.crawled(home)
        world.run()
        return world

    def copy(self, home: Path) -> "World":
        """The same storage and configuration in another folder, over this world's bucket."""
        shutil.copytree(self.home / "store", home / "store")
        shutil.copytree(self.conf, home / "conf")
        world = World(home)
        root = str(home / "store")
        world.change("profiles/local.yaml", lambda conf: conf["storage"].update(root=root))
        return world

    @property
    def conf(self) -> Path:
        """The folder of the configuration."""
        return self.home / "conf"

    @property
    def bucket(self) -> Path:
        """The folder of the crawls."""
        return self.home / "bucket"

    @property
    def lake(self) -> Lake:
        """The tables under the present configuration."""
        if self._lake is None:
            self._lake = Lake(load_project(self.conf))
        return self._lake

    @property
    def definitions(self) -> dg.Definitions:
        """The code location under the present configuration."""
        if self._definitions is None:
            self._definitions = build(self.lake.project, terminal(self.said.append))
        return self._definitions

    def change(self, file: str, edit: Callable[[dict[str, Any]], object]) -> None:
        """Edit a YAML file of the configuration."""
        path = self.conf / file
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
        edit(value)
        path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
        self._lake = self._definitions = None

    def put(self, path: str, data: bytes) -> None:
        """A file of the crawl."""
        target = self.bucket / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def add_pixiv(self, number: int, record: dict[str, Any]) -> None:
        """A work with its picture and its record."""
        self.put(f"dataset-pixiv/resized_1/{number}_p0.png", picture(number))
        self.put(f"dataset-pixiv/resized_1/{number}_p0.json", json.dumps(record).encode())

    def put_danbooru(
        self, posts: dict[int, dict[str, Any]], pictures: dict[int, bytes] | None = None
    ) -> None:
        """The posts with their pictures, in one tar; post 1 shows what pixiv's 100 shows.

        Args:
            pictures: the files of some posts, in place of those.
        """
        files = {number: picture(100 if number == 1 else number) for number in posts}
        files |= pictures or {}
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for number, record in posts.items():
                _add(tar, f"{number}.png", files[number])
                _add(tar, f"{number}.json", json.dumps(record).encode())
        self.put("unidataset-danbooru/0000.tar", buffer.getvalue())

    def make(self, *assets: str, partition: str | None = None) -> dg.ExecuteInProcessResult:
        """Materialize assets in this process; a failure is in the result."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(name) for name in assets],
            partition_key=partition,
            raise_on_error=False,
            run_config={"loggers": {"console": {}}},
        )

    def run(self, until: str | None = None) -> list[Step]:
        """Make what is stale, scoring by hand instead of by models; the steps that were made."""
        made = []
        for step in stale_steps(self.lake, until=until):
            self.step(step)
            made.append(step)
        return made

    def step(self, step: Step) -> None:
        """Make one step."""
        if set(step.assets) <= set(self.lake.project.pass_metrics):
            self.score(str(step.partition))
            return
        if "caption" in step.assets:
            self.write_captions(step.partition)
        result = self.make(*step.assets, partition=step.partition)
        assert result.success, step

    def score(
        self,
        source: str,
        only: tuple[str, ...] | None = None,
        **changes: dict[str, dict[str, Any]],
    ) -> None:
        """Write the parts that the pass would write for the pending units of a source.

        Args:
            only: the metrics to score, by default all of the pass.
            changes: other columns of some rows, by metric and key.
        """
        units = read_units(self.lake.store, layout.todo_path(source))
        for name, data in units.items():
            rows = unit_rows({name: data})
            assert rows is not None
            for metric in only or self.lake.project.pass_metrics:
                wanted = rows.filter(pl.col("metrics").list.contains(metric))
                if wanted.height:
                    self._write_part(metric, source, name, wanted, changes.get(metric, {}))

    def write_captions(self, source: str | None) -> None:
        """A caption of every image that is to have one and has none."""
        left = late_pending(self.lake, "caption", source)
        if left.height:
            unit = f"{left['image_key'].hash().sum():016x}.todo.parquet"
            self._write_part("caption", late_folder(source), unit, left, {})

    def _write_part(
        self,
        metric: str,
        source: str,
        unit: str,
        rows: pl.DataFrame,
        changes: dict[str, dict[str, Any]],
    ) -> None:
        schema = {
            "image_key": pl.String,
            "version": pl.String,
            "status": pl.String,
            "error": pl.String,
            **metric_columns(self.lake.project.metrics[metric]),
        }
        found = []
        for row in rows.iter_rows(named=True):
            values = {
                "image_key": row["image_key"],
                "version": row["version"],
                "status": "ok",
                **self._values(metric, row),
            }
            found.append(values | changes.get(row["image_key"], {}))
        name = unit.removesuffix(".todo.parquet")
        part = layout.part_path(metric, self.lake.parts.fingerprint(metric), source, name)
        frame = pl.DataFrame(found, schema=schema)
        self.lake.store.put(part, to_parquet(frame))
        retry = frame.filter(pl.col("status") == "retry").height
        done = json.dumps({"rows": frame.height, "retry": retry})
        self.lake.store.put(layout.done_path(part), done.encode())

    def _values(self, metric: str, row: dict[str, Any]) -> dict[str, Any]:
        key = row["image_key"]
        if metric == "clip":
            return {"clip_embedding": embedding(key), "clip_score": CLIP_SCORES.get(key, 1.5)}
        if metric == "softmax":
            return {"softmax_sfw": 0.9, "softmax_nsfw": 0.1}
        if metric == "drawing":
            return dict.fromkeys(self.lake.project.metrics[metric].class_columns, 1 / 6)
        if metric == "tagger":
            return {"tagger_tags": [{"tag": "smile", "category": "general", "p": 0.9}]}
        if metric == "caption":
            return {"caption_text": f"a picture of {key}", "caption_cosine": 0.5}
        config = self.lake.project.metrics["pixels"]
        assert isinstance(config, Pixels)
        data = read_address(row["uri"], row["offset"], row["length"])
        image = decode(data, self.lake.project.profile.decode)
        facts = PixelFacts(config).preprocess(image)
        return facts_reading("pixels", facts.reshape(1)).row(0, named=True)


def embedding(key: str) -> list[float]:
    """A unit vector of the picture: pictures are orthogonal, the twins have one."""
    place = int("".join(char for char in key.split("/")[1].partition("_")[0] if char.isdigit()))
    vector = [0.0] * 256
    vector[100 if key == TWIN[1] else place] = 1.0
    return vector


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """The values of the metadata that an asset was materialized with."""
    return {name: item.value for name, item in _materialization(result, asset).metadata.items()}


def data_version(result: dg.ExecuteInProcessResult, asset: str) -> str:
    """The data version that an asset was materialized with."""
    return (_materialization(result, asset).tags or {})["dagster/data_version"]


def reasons(table: dg.TableMetadataValue) -> dict[str, int]:
    """The rows of a metadata table of counts, by the name in its first column."""
    rows = (list(record.data.values()) for record in table.records)
    return {str(name): int(count) for name, count in rows}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Whether each check of a run passed, by `asset:check`."""
    return {
        f"{check.asset_key.to_user_string()}:{check.check_name}": check.passed
        for check in result.get_asset_check_evaluations()
    }


def cause(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """Class and message of the innermost error of a failed run."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error and error.cause:
                error = error.cause
            if error:
                return error.cls_name or "", error.message
    raise AssertionError("no step failed")


def ask(
    checks: tuple[Check, ...], lake: Lake, asset: str, partition: str | None = None
) -> dict[str, dg.AssetCheckResult]:
    """What the checks of an asset say of its table as it now is, by name."""
    results = outcomes(checks, asset, lake, partition)
    return {result.check_name or "": result for result in results}


def failed(results: dict[str, dg.AssetCheckResult]) -> list[str]:
    """The checks that did not pass."""
    return [name for name, result in results.items() if not result.passed]


def figures(result: dg.AssetCheckResult) -> dict[str, Any]:
    """The values of a check's metadata."""
    return {name: item.value for name, item in result.metadata.items()}


def tamper(
    lake: Lake,
    table: str,
    partition: str | None,
    edit: Callable[[pl.DataFrame], pl.DataFrame],
    stage: str | None = None,
) -> None:
    """Write a table with other rows than its stage made, as fresh as before."""
    info = lake.info(table, partition)
    assert info is not None
    rows = edit(lake.read(table, partition).collect())
    name = table if stage else None
    lake.write(stage or table, partition, rows, key=info.key, inputs=info.inputs, table=name)


def _materialization(result: dg.ExecuteInProcessResult, asset: str) -> dg.AssetMaterialization:
    events = result.get_asset_materialization_events()
    (found,) = [event for event in events if event.asset_key == dg.AssetKey(asset)]
    return found.step_materialization_data.materialization


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _here(home: Path) -> Callable[[dict[str, Any]], None]:
    def edit(profile: dict[str, Any]) -> None:
        profile["storage"] |= {"root": str(home / "store"), "unit_images": 2}
        profile["crawl"]["root"] = str(home / "bucket")

    return edit


def _two_sources(curation: dict[str, Any]) -> None:
    scores, tag_p = curation["augment"]["tiers"]["scores"], curation["merge"]["tag_p"]
    for name in ("gelbooru", "yandere", "twitter", "artstation"):
        del scores[name], tag_p[name]


def _one_recipe(release: dict[str, Any]) -> None:
    release["recipes"] = ["animagine4"]
    del release["latents"], release["denoiser"]
