"""The whole configuration, loaded and checked in one go."""

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import Any, TypeVar

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.config.dedup import DedupConfig
from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.config.late import check_late
from dataproc_assets.config.metric_base import On
from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.profiles import ProfileConfig
from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.config.releases import ReleaseConfig
from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.config.takedown import TakedownConfig
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.yaml import ConfigError, read_yaml, short_path

CONF = Path(__file__).parent.parent / "conf"
T = TypeVar("T")


@dataclass(frozen=True)
class Project:
    """Everything that conf/ says; names of files are the keys."""

    profile: ProfileConfig
    sources: dict[str, SourceConfig]
    metrics: dict[str, MetricConfig]
    vaes: dict[str, VaeConfig]
    curation: CurationConfig
    dedup: DedupConfig
    safety: SafetyConfig
    gallery: GalleryConfig
    recipes: dict[str, RecipeConfig]
    releases: dict[str, ReleaseConfig]
    takedown: TakedownConfig

    @cached_property
    def pass_metrics(self) -> dict[str, MetricConfig]:
        """The metrics of the shared pass over every eligible image."""
        return self._metrics_on("todo")

    @cached_property
    def kept_metrics(self) -> dict[str, MetricConfig]:
        """The metrics that run on what the prefilter of a source kept."""
        return self._metrics_on("prefiltered")

    @cached_property
    def late_metrics(self) -> dict[str, MetricConfig]:
        """The metrics that run late, on the clusters' representatives."""
        return self._metrics_on("representatives")

    def _metrics_on(self, place: On) -> dict[str, MetricConfig]:
        return {name: metric for name, metric in self.metrics.items() if metric.on == place}


def load_project(
    conf: Path | None = None, profile: str | None = None, metrics: str | None = None
) -> Project:
    """Read conf/ under a profile.

    Args:
        conf: the folder; by default `DATAPROC_CONF`, else the one in the package.
        profile: a file of conf/profiles; by default `DATAPROC_PROFILE`, else `local`.
        metrics: a folder of conf/metrics; by default the one that the profile names.

    Raises ConfigError, naming file and line, for whatever is wrong.
    """
    folder = conf or Path(os.environ.get("DATAPROC_CONF") or CONF)
    chosen = profile or os.environ.get("DATAPROC_PROFILE") or "local"
    path = folder / "profiles" / f"{chosen}.yaml"
    settings = _named(path, ProfileConfig)
    project = Project(
        profile=settings,
        sources=_folder(folder / "sources", SourceConfig),
        metrics=_metrics(folder / "metrics", metrics or settings.metrics, short_path(path)),
        vaes=_folder(folder / "vaes", VaeConfig),
        curation=read_yaml(folder / "curation.yaml", CurationConfig),
        dedup=read_yaml(folder / "dedup.yaml", DedupConfig),
        safety=read_yaml(folder / "safety.yaml", SafetyConfig),
        gallery=read_yaml(folder / "gallery.yaml", GalleryConfig),
        recipes=_folder(folder / "recipes", RecipeConfig),
        releases=_folder(folder / "releases", ReleaseConfig),
        takedown=_optional(folder / "takedown.yaml", TakedownConfig),
    )
    _check_names(project)
    return project


def _metrics(folder: Path, chosen: str | None, where: str) -> dict[str, Any]:
    """The metrics of conf/metrics, a chosen folder below it standing in for some of them."""
    metrics = _folder(folder, MetricConfig)
    if chosen is None:
        return metrics
    sets = sorted(path.name for path in folder.iterdir() if path.is_dir())
    _must_exist(where, "folder of metrics", [chosen], sets)
    return dict(sorted((metrics | _folder(folder / chosen, MetricConfig)).items()))


def _folder(folder: Path, model: Any) -> dict[str, Any]:
    """Every YAML file of a folder, by name; a folder without one is an error."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise ConfigError(f"{short_path(folder)}: there is no .yaml file in {folder}")
    return {path.stem: _named(path, model) for path in paths}


def _optional(path: Path, model: Any) -> Any:
    """A file that a folder of configuration may lack; then all is as by default."""
    return read_yaml(path, model) if path.exists() else model()


def _named(path: Path, model: Any) -> Any:
    item = read_yaml(path, model)
    if item.name != path.stem:
        raise ConfigError(
            f"{short_path(path)}: name is '{item.name}', but the file is '{path.name}'"
        )
    return item


def _check_names(project: Project) -> None:
    """Raise ConfigError where one file names something that no other file defines."""
    tiers = [cut.name for cut in project.curation.augment.tiers.cuts]
    for release in project.releases.values():
        where = f"conf/releases/{release.name}.yaml"
        _must_exist(where, "recipe", release.recipes, project.recipes)
        _must_exist(where, "source", release.select.sources or (), project.sources)
        _must_exist(where, "tier", (tier for tier in release.select.tiers or () if tier), tiers)
        _must_exist(where, "score", release.select.scores, ["tier_percentile", *_scores(project)])
        if release.latents:
            _must_exist(where, "vae", [release.latents.vae], project.vaes)
    for recipe in project.recipes.values():
        _must_exist(f"conf/recipes/{recipe.name}.yaml", "tier", recipe.tier_words, tiers)
    where = f"conf/profiles/{project.profile.name}.yaml"
    _must_exist(where, "source", project.profile.crawl.reports, project.sources)
    _must_exist(where, "source", project.profile.crawl.queues, project.sources)
    where = "conf/curation.yaml"
    ranked = project.curation.augment.tiers.scores
    _must_exist(where, "source", ranked.keys() - {"default"}, project.sources)
    if "default" not in ranked:
        _must_exist(where, "score", project.sources, ranked)
    _must_exist(where, "source", project.curation.merge.tag_p.keys() - {"default"}, project.sources)
    ids = (artist.partition("/")[0] for artist in project.safety.opt_out.artist_ids)
    _must_exist("conf/safety.yaml", "source", ids, project.sources)
    scores = (score.column for score in project.safety.ai.scores)
    _must_exist("conf/safety.yaml", "class of a classifier", scores, _classes(project))
    where, dedup = "conf/dedup.yaml", project.dedup
    _must_exist(where, "embedding", [dedup.embedding], _of_kind(project, "open_clip"))
    _must_exist(where, "detail", [dedup.detail.metric], _of_kind(project, "pixels"))
    check_late(project.metrics, project.curation)
    _check_prefixes(project)


def _classes(project: Project) -> list[str]:
    """The columns of the classifiers that every image is put to."""
    return [column for m in project.pass_metrics.values() for column in m.class_columns]


def _scores(project: Project) -> list[str]:
    """The columns of numbers of the metrics that every image is put to."""
    return [column for m in project.pass_metrics.values() for column in m.score_columns]


def _of_kind(project: Project, kind: str) -> list[str]:
    """The metrics of one kind that every image is put to."""
    return [m.name for m in project.pass_metrics.values() if m.kind == kind]


def _check_prefixes(project: Project) -> None:
    """Raise ConfigError where the crawl of one source holds that of another."""
    prefixes = {name: f"{source.crawl.prefix}/" for name, source in project.sources.items()}
    for outer, inner in permutations(prefixes, 2):
        if prefixes[inner].startswith(prefixes[outer]):
            raise ConfigError(
                f"conf/sources/{inner}.yaml: the prefix '{prefixes[inner]}' lies in that of "
                f"{outer}, '{prefixes[outer]}': one file would be an image of both"
            )


def _must_exist(where: str, kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    there = list(known)
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = f" (did you mean '{near[0]}'?)" if near else f"; there are {', '.join(there)}"
            raise ConfigError(f"{where}: no {kind} named '{name}'{hint}")
