"""A branch of a dataset repository on the Hugging Face hub, and what goes wrong there."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dataproc_assets.release.manifest import MANIFEST, Manifest, read_manifest
from dataproc_assets.storage.objects import ObjectStore

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import RepoFile

ATTRIBUTES = ".gitattributes"  # the hub's own, in every repository
AT_A_TIME = 5  # files that are sent at a time
KIND = "dataset"


class PushError(Exception):
    """A release cannot be pushed; the message says why and what to do. No token is in it."""


class Target:
    """One branch of a dataset repository."""

    def __init__(self, api: "HfApi", repo: str, branch: str) -> None:
        self.api = api
        self.repo = repo
        self.branch = branch
        self.url = f"{api.endpoint}/datasets/{repo}/tree/{branch}"
        self.head = ""

    def open(self, private: bool) -> None:
        """Make the repository and the branch where there are none.

        A new branch begins at the repository's first commit, where nothing of a release is.
        """
        api, repo = self.api, self.repo
        api.create_repo(repo, private=private, repo_type=KIND, exist_ok=True)
        heads = self._heads()
        if self.branch not in heads:
            first = api.list_repo_commits(repo, repo_type=KIND)[-1].commit_id
            api.create_branch(repo, branch=self.branch, revision=first, repo_type=KIND)
            heads = self._heads()
        self.head = heads[self.branch]

    def _heads(self) -> dict[str, str]:
        refs = self.api.list_repo_refs(self.repo, repo_type=KIND)
        return {ref.name: ref.target_commit for ref in refs.branches}

    def files(self) -> dict[str, "RepoFile"]:
        """What is in the branch now, by path."""
        from huggingface_hub.hf_api import RepoFile

        tree = self.api.list_repo_tree(
            self.repo, recursive=True, revision=self.head, repo_type=KIND
        )
        return {item.path: item for item in tree if isinstance(item, RepoFile)}

    def manifest(self) -> Manifest | None:
        """The manifest in the branch. Raises PushError where it is no release's."""
        with tempfile.TemporaryDirectory() as folder:
            self.api.hf_hub_download(
                self.repo,
                MANIFEST,
                repo_type=KIND,
                revision=self.head,
                local_dir=Path(folder) / "held",
            )
            try:
                return read_manifest(ObjectStore(folder), "held")
            except (TypeError, KeyError, AttributeError, ValueError):
                raise PushError(
                    f"{self.url} has a {MANIFEST} that is no release's: push to another repository"
                ) from None

    def send(self, operations: "list[CommitOperationAdd]") -> None:
        """Send the large ones of some files; they are seen with the next commit."""
        self.api.preupload_lfs_files(
            self.repo, operations, repo_type=KIND, revision=self.branch, num_threads=AT_A_TIME
        )

    def commit(self, operations: "list[CommitOperationAdd]", message: str) -> None:
        """Commit some files; an error where another commit came in between."""
        self.head = self.api.create_commit(
            self.repo,
            operations,
            commit_message=message,
            repo_type=KIND,
            revision=self.branch,
            parent_commit=self.head,
        ).oid


def addition(path: str, content: Path | bytes) -> "CommitOperationAdd":
    """A file of a commit: the content of a local file, or bytes."""
    from huggingface_hub import CommitOperationAdd

    return CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)


@contextmanager
def explained(target: Target, token: str) -> Iterator[None]:
    """Whatever the hub or the way to it answers, as a PushError that says what to do."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    try:
        yield
    except PushError:
        raise
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, HfHubHTTPError):
            cause = cause.__cause__
        text = _why(target, cause) if cause else f"{type(error).__name__}: {error}"
        text = text.replace(token, "…")
        raise PushError(f"{target.url}: {text}") from None


def _why(target: Target, error: BaseException) -> str:
    status = error.response.status_code  # type: ignore[attr-defined]
    said = str(getattr(error, "server_message", "") or "").strip()
    if status in (401, 403, 404):
        return (
            f"the hub does not let HF_TOKEN write here ({status} {said}); a token with the right "
            f"to write comes from {target.api.endpoint}/settings/tokens"
        )
    if status in (409, 412):
        return f"someone else committed here meanwhile ({status} {said}); push again"
    return f"the hub answered {status} {said}; push again: what arrived is not sent again"
