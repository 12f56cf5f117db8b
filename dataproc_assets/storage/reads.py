"""The part of the configuration that each stage reads: what makes it stale when it changes.

Each function takes the project and a partition; models, dictionaries and lists are what it gives.
"""

from typing import Any

from dataproc_assets.config.adapters import own_code, reading_code
from dataproc_assets.config.fingerprint import fingerprint
from dataproc_assets.config.passes import part_fingerprint
from dataproc_assets.config.project import Project


def inventory(project: Project, name: str | None) -> Any:
    """With the limit of removals: raising it is how a person applies one that was held back."""
    source = project.sources[name or ""]
    limit = source.removed_share_max
    return {
        "crawl": source.crawl,
        "key": source.key,
        "native_id": source.native_id,
        "removed_share_max": limit,
    }


def records(project: Project, name: str | None) -> Any:
    """Where the records lie and how they are read."""
    source, limits = project.sources[name or ""], project.profile.crawl.records
    return {
        "limits": [limits.record_bytes, limits.file_bytes],
        "crawl": source.crawl,
        "adapter": source.adapter,
        "own_code": own_code(source.adapter),
        "columns": source.columns,
        "native_id": source.native_id,
    }


def parsing(project: Project, source: str) -> Any:
    """What decides the rows of one record file, the code that reads it among it."""
    config = project.sources[source]
    columns = config.columns.model_dump(mode="json") if config.columns else None
    limits = project.profile.crawl.records
    return {
        "code": reading_code(config.adapter),
        "adapter": config.adapter,
        "columns": columns,
        "native_id": config.native_id,
        "source": source,
        "limits": [limits.record_bytes, limits.file_bytes],
    }


def merged(project: Project, name: str | None) -> Any:
    """How the source's merger is chosen, what it is told, what it marks as made by a model."""
    source = project.sources[name or ""]
    return {
        "adapter": source.adapter,
        "own_code": own_code(source.adapter),
        "merger": source.merger,
        "ai_tags": source.ai_tags,
    }


def merging(project: Project, _: str | None) -> Any:
    """What decides the fields of an image, and whether more than its ids is told at all."""
    trust = {name: source.trust for name, source in project.sources.items()}
    return {
        "merge": project.curation.merge,
        "periods": project.curation.augment.periods,
        "seed": project.curation.seed,
        "trust": trust,
        "safety": project.safety.model_dump(mode="json", exclude={"balance"}),
    }


def prompts(project: Project, name: str | None) -> Any:
    """The recipe, and the day to which ages count where it asks for one."""
    recipe = project.recipes[name or ""]
    newer = recipe.quality is not None and recipe.quality.newer is not None
    return {"recipe": recipe, "as_of": project.curation.as_of if newer else None}


def dedup(project: Project, name: str | None) -> Any:
    """Of one source, or of all."""
    sources = [name] if name else sorted(project.sources)
    trust = {source: project.sources[source].trust.image for source in sources}
    return {"dedup": project.dedup, "trust": trust}


def gallery(project: Project, _: str | None) -> Any:
    """What is shown, how a picture is decoded, and whose vectors the search reads."""
    embedding = project.metrics[project.dedup.embedding]
    return {
        "embedding": part_fingerprint(embedding, project.profile.decode),
        "safety": project.safety,
        "gallery": project.gallery,
        "cosine": project.dedup.cosine,
        "decode": project.profile.decode,
    }


def fingerprints(project: Project, _: str | None) -> Any:
    """What names the parts of each metric of the pass."""
    decode = project.profile.decode
    return {name: part_fingerprint(m, decode) for name, m in project.pass_metrics.items()}


def denoiser(project: Project, name: str | None) -> Any:
    """How it is trained, and the VAE that its pictures are decoded with."""
    release = project.releases[name or ""]
    if release.denoiser is None or release.latents is None:
        return None
    return {"denoiser": release.denoiser, "vae": fingerprint(project.vaes[release.latents.vae])}


def release(project: Project, name: str | None) -> Any:
    """What is chosen, and what is never released."""
    release = project.releases[name or ""].model_copy(update={"denoiser": None})
    return {"release": release, "safety": project.safety}


def todo(project: Project, name: str | None) -> Any:
    """Who is eligible, and what is computed of them."""
    source = project.sources[name or ""]
    return {
        "prefilter": source.prefilter,
        "ai_tags": source.ai_tags,
        "as_of": project.curation.as_of,
        "metrics": fingerprints(project, name),
    }
