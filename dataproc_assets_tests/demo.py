"""The demo as a user runs it: the `dataproc` command in a folder of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from dataproc_assets.config.project import CONF, Project, load_project
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.stages import PUBLISHED

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "sample_crawl" / "crawl"
STEPS = 200  # of the denoiser; the shipped ones lower its loss, and prove no more
TRUTH = ROOT / "sample_crawl" / "ground_truth.yaml"
DATAPROC = Path(sys.executable).with_name("dataproc")


@dataclass
class Demo:
    """A folder with a Dagster instance, a configuration, a bucket and a storage root of its own."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)
    profile: str = "local"

    @classmethod
    def create(cls, home: Path) -> "Demo":
        """A folder in which nothing was run yet."""
        home.mkdir(parents=True)
        shutil.copy(ROOT / "dagster.yaml", home)
        made = cls(home)
        shutil.copytree(CONF, made.conf)
        release = made.conf / "releases" / "demo.yaml"
        release.write_text(re.sub(r"(?m)^  steps: \d+", f"  steps: {STEPS}", release.read_text()))
        return made

    @property
    def conf(self) -> Path:
        """The shipped configuration, but for a denoiser that is trained for less long."""
        return self.home / "conf"

    def environment(self) -> dict[str, str]:
        """The environment of its commands."""
        chosen = {"DATAPROC_CONF": str(self.conf), "DATAPROC_PROFILE": self.profile}
        return {**os.environ, "DAGSTER_HOME": str(self.home), **chosen, **self.env}

    def command(self, *words: str, check: bool = True) -> str:
        """Run `dataproc …` to its end and return what it printed."""
        done = subprocess.run(
            [str(DATAPROC), *words],
            cwd=self.home,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout

    def run(self) -> str:
        """Upload the sample crawl and make everything."""
        self.command("upload", str(SAMPLE))
        return self.command("run")

    def run_until(self, seen: Callable[[str], bool]) -> bool:
        """Start a run and kill it, with all it started, at the first line that `seen` accepts.

        Returns whether it was killed; False where it came to its end first.
        """
        process = subprocess.Popen(
            [str(DATAPROC), "run"],
            cwd=self.home,
            env={**self.environment(), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        killed = False
        for line in process.stdout:
            if not killed and seen(line):
                os.killpg(process.pid, signal.SIGKILL)
                killed = True
        process.wait()
        process.stdout.close()
        return killed

    def project(self) -> Project:
        """Its configuration."""
        return load_project(self.conf, profile=self.profile)

    def lake(self) -> Lake:
        """Its tables. The storage root is taken as absolute: the environment is the test's own."""
        project = self.project()
        profile = project.profile
        if profile.storage.root.startswith("s3://"):
            return Lake(project)
        roots = {
            "storage": profile.storage.model_copy(
                update={"root": str(self.home / profile.storage.root)}
            ),
            "crawl": profile.crawl.model_copy(update={"root": str(self.home / profile.crawl.root)}),
        }
        return Lake(replace(project, profile=profile.model_copy(update=roots)))

    def digests(self) -> dict[str, str]:
        """The digest of every table from metrics_merged on, of every tar and every manifest.

        What a bucket calls the version of a file is left out: no two puts have the same.
        """
        lake, found = self.lake(), {}
        for stage in lake.stages.values():
            if stage.name in ("inventory", "records", "todo", *PUBLISHED):
                continue
            keys = {
                "source": lake.project.sources,
                "recipe": lake.project.recipes,
                None: [None],
            }[stage.by]
            for key in keys:
                info = lake.info(stage.name, key)
                found[f"{stage.name}/{key}"] = info.digest if info else "missing"
        members = lake.info("members")
        found["members"] = members.digest if members else "missing"
        for folder in ("releases", "latents", "denoisers", "gallery", "ledger"):
            for path in lake.store.list(folder)["path"]:
                data = lake.store.get(path)
                if path.endswith("/manifest.json"):
                    data = re.sub(rb',\s*"version": "[^"]*"', b"", data)
                found[path] = bytes_digest(data)
        return found


def rows(frame: pl.LazyFrame | pl.DataFrame, key: str) -> dict[str, dict]:
    """A table's rows by a key column."""
    table = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    return {row[key]: row for row in table.iter_rows(named=True)}
