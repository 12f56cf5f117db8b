"""Building the gallery: what must not be shown goes first, the manifest is written last."""

import json
from dataclasses import asdict, dataclass

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.gallery.cards import Cards
from dataproc_assets.gallery.clusters import clusters_page
from dataproc_assets.gallery.drops import drops_page
from dataproc_assets.gallery.index import FOLDER, Embedded, index_files
from dataproc_assets.gallery.kept import image_pages
from dataproc_assets.gallery.overview import overview_page
from dataproc_assets.gallery.pairs import pairs_page
from dataproc_assets.gallery.pictures import (
    THUMBS,
    File,
    ReadPicture,
    is_digest,
    picture_path,
    write_thumbs,
)
from dataproc_assets.gallery.releases import preview_files, releases_page
from dataproc_assets.gallery.render import Renderer
from dataproc_assets.gallery.samples import drawn_files, samples_page
from dataproc_assets.gallery.served import served_pages
from dataproc_assets.gallery.tables import GalleryTables, canonical, input_digests
from dataproc_assets.gallery.tiers import tiers_page
from dataproc_assets.gallery.view import Page, View
from dataproc_assets.gallery.withhold import Withheld, find_withheld, without
from dataproc_assets.storage.digest import bytes_digest, json_digest
from dataproc_assets.storage.layout import gallery_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.version import __version__

MANIFEST = "manifest.json"
THUMB_SETTINGS = {"thumb_side", "thumb_quality"}


@dataclass(frozen=True)
class GalleryInfo:
    """What a build did. `digest` is over the files; `path` is the first page below the store.

    `thumbs` counts the thumbnails that are there, `written` those of them that are new, `deleted`
    all files that were removed. `missing` says by digest why a picture could not be drawn;
    `withheld` counts the rows of which nothing may be shown.
    """

    path: str
    digest: str
    pages: int
    thumbs: int
    written: int
    deleted: int
    missing: dict[str, str]
    withheld: int


def build_gallery(
    store: ObjectStore,
    tables: GalleryTables,
    read_picture: ReadPicture,
    config: GalleryConfig,
    embedded: Embedded | None = None,
    state: str = "",
) -> GalleryInfo:
    """Write the gallery below `layout.gallery_path()`.

    Args:
        embedded: the pictures' vectors, by which words find them.
        state: stands for all that says what may be shown; the server asks whether it still holds.

    The same tables give the same bytes, whatever was there before: files that this build does not
    name are deleted, those of withheld images before anything is written. A picture that
    `read_picture` cannot read, or whose bytes are no longer those that were scored, is left out
    and named in the result.

    Raises ValueError where a table lacks its key.
    """
    root = gallery_path()
    everything = canonical(tables)
    withheld = find_withheld(everything)
    shown = without(everything, withheld)
    settings = json_digest({"code": __version__, **config.model_dump(include=THUMB_SETTINGS)})
    deleted = _revoke(store, root, shown, withheld)
    known = _known(store, root, settings)

    view = View(everything, shown, Cards(shown, config), config)
    pages = _pages(view)
    thumbs = write_thumbs(store, root, view.cards.wanted(), read_picture, config, known)
    contents = preview_files(view) | drawn_files(view)
    paths = {wanted.sha256: picture_path(THUMBS, wanted.sha256) for wanted in view.cards.wanted()}
    there = {digest: path for digest, path in paths.items() if path in thumbs.files}
    inputs = {**input_digests(everything), "config": json_digest(config.model_dump(mode="json"))}
    footer = {"version": __version__, "inputs": json_digest(inputs)}
    renderer = Renderer(there, footer)
    contents |= {page.file: renderer.render(page) for page in pages}
    contents |= index_files(view, embedded)
    for path, data in contents.items():
        store.put(f"{root}/{path}", data)

    written = {path: File(bytes_digest(data), len(data)) for path, data in contents.items()}
    files = dict(sorted({**thumbs.files, **written}.items()))
    deleted += _sweep(store, root, {*files, MANIFEST})
    manifest = {
        "code_version": __version__,
        "inputs": inputs,
        "thumbs": settings,
        "withheld": withheld.digest,
        "search": {"state": state, "model": embedded.model if embedded else None},
        "files": {path: asdict(file) for path, file in files.items()},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
    store.put(f"{root}/{MANIFEST}", f"{text}\n".encode())
    return GalleryInfo(
        path=f"{root}/index.html",
        digest=json_digest(manifest["files"]),
        pages=len(pages),
        thumbs=len(thumbs.files),
        written=thumbs.new,
        deleted=deleted,
        missing=thumbs.missing,
        withheld=everything.augmented.height - shown.augmented.height,
    )


def _pages(view: View) -> list[Page]:
    return [
        overview_page(view),
        drops_page(view),
        clusters_page(view),
        pairs_page(view),
        tiers_page(view),
        *image_pages(view),
        releases_page(view),
        samples_page(view),
        *served_pages(),
    ]


def _manifest(store: ObjectStore, root: str) -> dict:
    try:
        return json.loads(store.get(f"{root}/{MANIFEST}"))
    except FileNotFoundError:
        return {}


def _revoke(store: ObjectStore, root: str, shown: GalleryTables, withheld: Withheld) -> int:
    """Delete every picture that may not be shown; all pages and the index where that set changed.

    A build that dies later then leaves nothing behind that was revoked.
    """
    allowed = set(shown.augmented["pixels_sha256"].drop_nulls())
    changed = _manifest(store, root).get("withheld") != withheld.digest
    gone = []
    for path in store.list(root)["path"]:
        stem = path.rpartition("/")[2].partition(".")[0]
        tells = path.endswith(".html") or path.startswith(f"{root}/{FOLDER}/")
        if (is_digest(stem) and stem not in allowed) or (changed and tells):
            gone.append(path)
    for path in gone:
        store.delete(path)
    return len(gone)


def _known(store: ObjectStore, root: str, settings: str) -> dict[str, File]:
    """The thumbnails that are there, as the last build's manifest names them.

    None are known where they were made by other settings; the manifest then goes first, so that
    a build that dies between the two leaves no thumbnail under a wrong name.
    """
    manifest = _manifest(store, root)
    if manifest.get("thumbs") != settings:
        store.delete(f"{root}/{MANIFEST}")
        return {}
    sizes = dict(store.list(root).select("path", "size").iter_rows())
    files = {path: File(**entry) for path, entry in manifest["files"].items()}
    return {
        path: file
        for path, file in files.items()
        if path.startswith(f"{THUMBS}/") and sizes.get(f"{root}/{path}") == file.size
    }


def _sweep(store: ObjectStore, root: str, keep: set[str]) -> int:
    """Delete the files that are not of this build."""
    paths = [path for path in store.list(root)["path"] if path.removeprefix(f"{root}/") not in keep]
    for path in paths:
        store.delete(path)
    return len(paths)
