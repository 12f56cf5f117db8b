"""A small hub on loopback that can be written to: repositories, branches, commits, large files."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from dataproc_assets_tests.servers import running

TOKEN = "hf_writes_in_a_test"
LARGE = (".tar", ".parquet")  # what .gitattributes sends to the store of large files


@dataclass(frozen=True)
class Commit:
    """A state of a repository; a large file is the SHA-256 of its bytes, a small one the bytes."""

    id: str
    parent: str | None
    title: str
    files: dict[str, bytes | str]


@dataclass
class Repo:
    """A dataset repository. `commits` are by id, in the order in which they came."""

    visibility: str | None
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def add(self, branch: str, title: str, files: dict[str, bytes | str]) -> Commit:
        """A commit more, at the head of a branch."""
        parent = self.branches.get(branch)
        number = f"{len(self.commits)}{branch}{title}"
        commit = Commit(hashlib.sha1(number.encode()).hexdigest(), parent, title, files)
        self.commits[commit.id] = commit
        self.branches[branch] = commit.id
        return commit

    def at(self, revision: str) -> Commit | None:
        """The commit that a branch or an id names."""
        return self.commits.get(self.branches.get(revision, revision))


@dataclass
class Hub:
    """Repositories by `owner/name`, large files by SHA-256, and the requests that came.

    `failures` are statuses to answer next, by a pattern of `METHOD /path`; 0 lets one pass. Where
    it is `broken`, a shard of each commit gets lost.
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    failures: list[tuple[str, int]] = field(default_factory=list)
    broken: bool = False
    url: str = ""

    def create(self, repo: str, visibility: str | None = None) -> Repo:
        """A repository with its first commit."""
        made = self.repos[repo] = Repo(visibility)
        made.add("main", "initial commit", {".gitattributes": b"*.tar filter=lfs\n"})
        return made

    def content(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """The files of a commit, large ones too."""
        commit = self.repos[repo].at(revision)
        assert commit is not None
        return {
            path: self.large[file] if isinstance(file, str) else file
            for path, file in commit.files.items()
        }

    def count(self, pattern: str) -> int:
        """How many requests there were that match."""
        return sum(1 for request in self.requests if re.match(pattern, request))


def git_oid(data: bytes) -> str:
    """How git names a file's bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers as the hub does, as far as its client and `datasets` ask."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def _handle(self) -> None:
        path = urlsplit(self.path).path
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.body = b"".join(self._chunks())
        else:
            self.body = self.rfile.read(length)
        request = f"{self.command} {path}"
        self.hub.requests.append(request)
        for number, (pattern, status) in enumerate(self.hub.failures):
            if re.match(pattern, request):
                del self.hub.failures[number]
                if status:
                    return self._refuse(status, "as the test asked")
                break
        signed = path.startswith("/large/")  # such an address carries its own right
        if not signed and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._refuse(401, "Invalid credentials in Authorization header")
        for pattern, answer in ROUTES:
            if match := re.fullmatch(pattern, request):
                return answer(self, *(unquote(group) for group in match.groups()))
        return self._refuse(404, f"no such route: {request}")

    do_GET = do_HEAD = do_POST = do_PUT = _handle  # noqa: N815

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().strip() or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def create(self) -> None:
        asked = json.loads(self.body)
        repo = f"{asked['organization']}/{asked['name']}"
        url = f"{self.hub.url}/datasets/{repo}"
        if asked["organization"] == "others":
            return self._refuse(403, "You don't have the rights to create a dataset here")
        if repo in self.hub.repos:
            return self._json({"url": url, "error": "You already created this repo"}, 409)
        assert asked["type"] == "dataset"
        self.hub.create(repo, asked.get("visibility"))
        return self._json({"url": url})

    def refs(self, repo: str) -> None:
        branches = [
            {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit}
            for name, commit in self.hub.repos[repo].branches.items()
        ]
        self._json({"branches": branches, "tags": [], "converts": []})

    def commits(self, repo: str, revision: str) -> None:
        commit, found = self.hub.repos[repo].at(revision), []
        while commit is not None:
            found.append(
                {
                    "id": commit.id,
                    "title": commit.title,
                    "message": "",
                    "authors": [],
                    "date": "2024-01-01T00:00:00.000Z",
                }
            )
            commit = self.hub.repos[repo].commits.get(commit.parent or "")
        self._json(found)

    def branch(self, repo: str, branch: str) -> None:
        self.hub.repos[repo].branches[branch] = json.loads(self.body)["startingPoint"]
        self._json({})

    def info(self, repo: str, revision: str = "main") -> None:
        found = self.hub.repos.get(repo)
        commit = found and found.at(revision)
        if not commit:
            return self._refuse(404, "", "RevisionNotFound" if found else "RepoNotFound")
        siblings = [{"rfilename": path} for path in commit.files]
        return self._json(
            {"_id": "1", "id": repo, "sha": commit.id, "private": True, "siblings": siblings}
        )

    def tree(self, repo: str, revision: str, folder: str = "") -> None:
        commit = self.hub.repos[repo].at(revision)
        if commit is None:
            return self._refuse(404, "", "RevisionNotFound")
        recursive = "recursive=true" in self.path.lower()
        entries: dict[str, dict[str, Any]] = {}
        for path in sorted(commit.files):
            if folder and not path.startswith(f"{folder}/"):
                continue
            parts = path.removeprefix(f"{folder}/" if folder else "").split("/")
            for depth in range(1, len(parts)):
                place = "/".join([*([folder] if folder else []), *parts[:depth]])
                entries[place] = {"type": "directory", "path": place, "oid": "0" * 40, "size": 0}
                if not recursive:
                    break
            if recursive or len(parts) == 1:
                entries[path] = self._entry(path, commit.files[path])
        if folder and not entries:
            return self._refuse(404, "", "EntryNotFound")
        return self._json(list(entries.values()))

    def paths(self, repo: str, revision: str) -> None:
        commit = self.hub.repos[repo].at(revision)
        assert commit is not None
        text = self.body.decode()
        asked = (
            json.loads(text)["paths"]
            if text.startswith("{")
            else [unquote(part.partition("=")[2]) for part in text.split("&") if "paths" in part]
        )
        known = [path for path in asked if path in commit.files]
        self._json([self._entry(path, commit.files[path]) for path in known])

    def _entry(self, path: str, file: bytes | str) -> dict[str, Any]:
        if isinstance(file, str):
            size = len(self.hub.large[file])
            large = {"oid": file, "size": size, "pointerSize": 130}
            return {"type": "file", "path": path, "oid": "1" * 40, "size": size, "lfs": large}
        return {"type": "file", "path": path, "oid": git_oid(file), "size": len(file)}

    def yaml(self) -> None:
        good = json.loads(self.body)["content"].startswith("---\n")
        error = {"errors": [{"message": "no front matter"}]}
        self._json({"warnings": []} if good else error, 200 if good else 400)

    def preupload(self, repo: str, revision: str) -> None:
        commit = self.hub.repos[repo].at(revision)
        assert commit is not None
        modes = []
        for file in json.loads(self.body)["files"]:
            large = file["path"].endswith(LARGE)
            modes.append(
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if large else "regular",
                    "shouldIgnore": False,
                }
            )
        self._json({"files": modes})

    def batch(self, _: str) -> None:
        objects = []
        for item in json.loads(self.body)["objects"]:
            oid, size = item["oid"], item["size"]
            upload = {"href": f"{self.hub.url}/large/{oid}", "header": {}}
            verify = {"href": f"{self.hub.url}/verify", "header": {}}
            actions = (
                {} if oid in self.hub.large else {"actions": {"upload": upload, "verify": verify}}
            )
            objects.append({"oid": oid, "size": size, **actions})
        self._json({"transfer": "basic", "objects": objects})

    def put_large(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            return self._refuse(400, "other bytes than announced")
        self.hub.large[oid] = self.body
        return self._json({})

    def verify(self) -> None:
        asked = json.loads(self.body)
        self._json({}, 200 if len(self.hub.large[asked["oid"]]) == asked["size"] else 400)

    def commit(self, repo: str, branch: str) -> None:
        found = self.hub.repos[repo]
        lines = [json.loads(line) for line in self.body.splitlines()]
        head = found.at(branch)
        assert head is not None
        title, files = "", dict(head.files)
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                title = value["summary"]
                if value.get("parentCommit", head.id) != head.id:
                    return self._refuse(412, "A commit has happened since. Please refresh")
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif value["oid"] in self.hub.large:
                files[value["path"]] = value["oid"]
            else:
                return self._refuse(400, f"{value['path']}: was never uploaded")
        if self.hub.broken:
            files.pop(next(path for path in files if path.endswith(".tar")), None)
        made = found.add(branch, title, files)
        return self._json(
            {"commitUrl": f"{self.hub.url}/datasets/{repo}/commit/{made.id}", "commitOid": made.id}
        )

    def resolve(self, repo: str, revision: str, path: str) -> None:
        found = self.hub.repos.get(repo)
        commit = found.at(revision) if found else None
        if commit is None or path not in commit.files:
            code = "EntryNotFound" if commit else "RevisionNotFound"
            return self._refuse(404, "", code if found else "RepoNotFound")
        file = commit.files[path]
        data = self.hub.large[file] if isinstance(file, str) else file
        start, end = 0, len(data)
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(asked[1]), min(int(asked[2] or end), end - 1) + 1
        etag = file if isinstance(file, str) else git_oid(file)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit.id, "Accept-Ranges": "bytes"}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        return self._send(206 if asked else 200, data[start:end], headers)

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, said: str, code: str = "") -> None:
        headers = {"X-Error-Message": said} if said else {}
        self._send(status, b"", headers | ({"X-Error-Code": code} if code else {}))

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Tests want no log."""


REPO = r"([\w.-]+/[\w.-]+)"
API = rf"/api/datasets/{REPO}"
ROUTES = [
    (r"POST /api/repos/create", Handler.create),
    (r"POST /api/validate-yaml", Handler.yaml),
    (rf"GET {API}/refs", Handler.refs),
    (rf"GET {API}/commits/([^/]+)", Handler.commits),
    (rf"POST {API}/branch/([^/]+)", Handler.branch),
    (rf"GET {API}", Handler.info),
    (rf"GET {API}/revision/([^/]+)", Handler.info),
    (rf"GET {API}/tree/([^/]+)", Handler.tree),
    (rf"GET {API}/tree/([^/]+)/(.+)", Handler.tree),
    (rf"POST {API}/paths-info/([^/]+)", Handler.paths),
    (rf"POST {API}/preupload/([^/]+)", Handler.preupload),
    (rf"POST {API}/commit/([^/]+)", Handler.commit),
    (rf"POST /datasets/{REPO}\.git/info/lfs/objects/batch", Handler.batch),
    (r"PUT /large/([0-9a-f]{64})", Handler.put_large),
    (r"POST /verify", Handler.verify),
    (rf"(?:GET|HEAD) /datasets/{REPO}/resolve/([^/]+)/(.+)", Handler.resolve),
]


@contextmanager
def writable_hub() -> Iterator[Hub]:
    """A hub without repositories, at `url`, that knows TOKEN alone."""
    hub = Hub()
    handler = type("HubHandler", (Handler,), {"hub": hub})
    with running(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as hub.url:
        yield hub
