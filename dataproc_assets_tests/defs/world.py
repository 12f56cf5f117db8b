"""A world of two sources and ten small pictures, scored by hand, in a folder of its own."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from dataproc_assets.config.project import CONF, load_project
from dataproc_assets.definitions import build
from dataproc_assets.run import Step, stale_steps, terminal
from dataproc_assets.storage.lake import Lake
from dataproc_assets_tests.defs.posts import DANBOORU, PIXIV, danbooru_tar, picture
from dataproc_assets_tests.defs.scoring import score, write_captions


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

    def ask_for_other(self) -> None:
        """A release `other` in place of `demo`, and of every rating, which is not published."""

        def edit(conf: dict[str, Any]) -> None:
            conf["name"] = "other"
            conf["select"]["ratings"] = ["general", "sensitive", "questionable", "explicit"]

        self.change("releases/demo.yaml", edit)
        (self.conf / "releases/demo.yaml").rename(self.conf / "releases/other.yaml")

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
        """The posts with their pictures, as `danbooru_tar` puts them together."""
        self.put("unidataset-danbooru/0000.tar", danbooru_tar(posts, pictures or {}))

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
            write_captions(self.lake, step.partition)
        result = self.make(*step.assets, partition=step.partition)
        assert result.success, step

    def score(
        self,
        source: str,
        only: tuple[str, ...] | None = None,
        **changes: dict[str, dict[str, Any]],
    ) -> None:
        """Score the pending units of a source by hand, as `score` does."""
        score(self.lake, source, only, **changes)


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
