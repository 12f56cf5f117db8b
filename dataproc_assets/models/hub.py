"""Weights of the Hugging Face hub: a run looks into the cache alone, a person fetches."""

import re
from collections.abc import Iterator
from pathlib import Path

from dataproc_assets.config.weights import File
from dataproc_assets.models.fetch import FetchError

_BRANCH = "main"  # where a file that is pinned by its digest alone is looked for
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def in_cache(file: File) -> Path | None:
    """A file of the hub as it lies in the Hugging Face cache (HF_HOME, HF_HUB_CACHE).

    Without a revision any cached version will do, best the one with the right digest.

    Raises:
        FetchError: the address cannot be one of the hub.
    """
    from huggingface_hub import try_to_load_from_cache

    repo, path = _parts(file.uri)
    try:
        found = try_to_load_from_cache(repo, path, revision=file.revision or _BRANCH)
    except ValueError as error:
        raise FetchError(f"is no address of the hub: {error}") from error
    known = [Path(found)] if isinstance(found, str) else []
    if file.revision is None:
        known += _versions(repo, path)
        known.sort(key=lambda version: blob_name(version) != file.sha256)
    return known[0] if known else None


def fetch(file: File, *, again: bool = False) -> Path:
    """Download a file of the hub into the Hugging Face cache; nothing where it lies there.

    HF_ENDPOINT names another hub, HF_TOKEN says who asks.

    Raises:
        FetchError: the hub cannot be reached, or does not give the file.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repo, path = _parts(file.uri)
    version = file.revision or _BRANCH
    try:
        return Path(hf_hub_download(repo, path, revision=version, force_download=again))
    except GatedRepoError as error:
        raise FetchError("is gated; accept its terms on the hub and set HF_TOKEN") from error
    except RepositoryNotFoundError as error:
        raise FetchError(f"the hub has no {repo}, or HF_TOKEN may not see it") from error
    except RevisionNotFoundError as error:
        raise FetchError(f"{repo} has no revision {version}") from error
    except LocalEntryNotFoundError as error:
        cause = error.__cause__ or error
        offline = isinstance(cause, OfflineModeIsEnabled)
        why = "HF_HUB_OFFLINE is set" if offline else f"the hub cannot be reached: {_line(cause)}"
        raise FetchError(why) from error
    except EntryNotFoundError as error:
        raise FetchError(f"{repo} has no {path} at {version}") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise FetchError(f"could not be fetched: {_line(error)}") from error


def blob_name(path: Path) -> str:
    """The digest that the cache names a file's bytes by; empty where it does not say.

    That is the SHA-256 of a large file, and git's SHA-1 of a small one.
    """
    name = path.resolve().name if path.is_symlink() else ""
    return name if _DIGEST.fullmatch(name) else ""


def _versions(repo: str, path: str) -> Iterator[Path]:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "snapshots"
    commits = sorted(folder.iterdir()) if folder.is_dir() else []
    return (commit / path for commit in commits if (commit / path).is_file())


def _parts(uri: str) -> tuple[str, str]:
    """`owner/repo` and the path in it."""
    owner, repo, path = uri.removeprefix("hf://").split("/", 2)
    return f"{owner}/{repo}", path


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().partition("\n")[0]
