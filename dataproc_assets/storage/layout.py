"""Every path below the storage root is built here."""

WITHDRAWN = "withdrawn.json"
LEDGERS = ("identity", "quarantine", "takedown", "print")


def stage_path(stage: str, partition: str | None) -> str:
    """The folder of a stage table: `stages/merged/pixiv_merged.parquet`."""
    name = f"{partition}_{stage}" if partition else stage
    return f"stages/{stage}/{name}.parquet"


def shards_path(source: str) -> str:
    """The folder of what was found in a source's tar shards, one `{digest}.shard.parquet` each."""
    return f"units/shards/{source}"


def parsed_path(source: str, fingerprint: str) -> str:
    """The folder of what a source's record files gave, `{digest}.records.parquet`."""
    return f"{parsed_folder(source)}/{fingerprint}"


def parsed_folder(source: str) -> str:
    """The folder of what a source's record files gave, whatever way they were parsed."""
    return f"units/records/{source}"


def todo_path(source: str) -> str:
    """The folder of a source's unit files, `{unit}.todo.parquet`."""
    return f"units/todo/{source}"


def parts_path(metric: str, fingerprint: str, source: str) -> str:
    """The folder of a metric's parts for one source and one fingerprint."""
    return f"units/metrics/{metric}/{fingerprint}/{source}"


def part_path(metric: str, fingerprint: str, source: str, unit: str) -> str:
    """A metric part: `…/{unit}.{metric}.parquet`; its `.json` beside it is the done mark."""
    return f"{parts_path(metric, fingerprint, source)}/{unit}.{metric}.parquet"


def scrubbed_path(source: str) -> str:
    """Which of a source's computed files were searched for what is taken down."""
    return f"units/scrubbed/{source}.parquet"


def latent_parts_path(fingerprint: str) -> str:
    """The folder of the latent parts of one VAE and one version of the code."""
    return f"units/latents/{fingerprint}"


def latent_part_path(fingerprint: str, unit: str) -> str:
    """A latent part: `…/{unit}.latents.parquet`; its `.json` beside it is the done mark."""
    return f"{latent_parts_path(fingerprint)}/{unit}.latents.parquet"


def done_path(part: str) -> str:
    """The done mark of a part: its statistics, written after it."""
    return f"{part.removesuffix('.parquet')}.json"


def segments_path(metric: str, fingerprint: str, source: str) -> str:
    """The folder of a source's quantised embeddings, cut into segments."""
    return f"{segments_folder(metric, fingerprint)}/{source}"


def segments_folder(metric: str, fingerprint: str) -> str:
    """The folder of all sources' segments of one metric."""
    return f"units/segments/{metric}/{fingerprint}"


def vectors_path(segment: str) -> str:
    """The vectors of a segment, (n, d) int16, as NumPy writes them."""
    return f"{segment}.vectors.npy"


def keys_path(segment: str) -> str:
    """Whose vectors they are; written last, it is the done mark."""
    return f"{segment}.keys.parquet"


def pairs_path(metric: str, fingerprint: str, search: str) -> str:
    """The folder of the near-duplicate pairs that one search found of a metric's segments."""
    return f"{searches_path(metric, fingerprint)}/{search}"


def searches_path(metric: str, fingerprint: str) -> str:
    """The folder of all searches of one metric's segments, one folder a threshold."""
    return f"units/pairs/{metric}/{fingerprint}"


def pairs_part_path(folder: str, left: str, right: str) -> str:
    """The pairs of two segments: `…/{left}-{right}.pairs.parquet`; its `.json` is the done mark."""
    return f"{folder}/{left.rpartition('/')[2]}-{right.rpartition('/')[2]}.pairs.parquet"


def distances_path(fingerprint: str, what: str) -> str:
    """The distances of thumbnails that have been measured, of a source or across sources."""
    return f"units/distances/{fingerprint}/{what}.parquet"


def release_path(name: str) -> str:
    """The folder of a release."""
    return f"releases/{name}"


def latents_path(name: str) -> str:
    """The folder of a release's latents."""
    return f"latents/{name}"


def withdrawn_path(name: str) -> str:
    """What stands for a release that was withdrawn, and names the one in its place."""
    return f"{release_path(name)}/{WITHDRAWN}"


def denoiser_path(name: str) -> str:
    """The folder of the denoiser that was trained on a release's latents."""
    return f"denoisers/{name}"


def denoiser_parts_path(fingerprint: str) -> str:
    """The folder of the folds of one way to train a denoiser."""
    return f"units/denoisers/{fingerprint}"


def losses_path(folder: str, unit: str) -> str:
    """What a fold's model loses on its held-out images; its `.json` is the fold's done mark."""
    return f"{folder}/{unit}.losses.parquet"


def trained_path(folder: str, unit: str) -> str:
    """The weights of a fold's model, where it is kept."""
    return f"{folder}/{unit}.safetensors"


def drawn_path(folder: str, unit: str) -> str:
    """The pictures that a fold's model has drawn, where it is kept."""
    return f"{folder}/{unit}.drawn.parquet"


def gallery_path() -> str:
    """The folder of the gallery's pages and pictures."""
    return "gallery"


def ledger_path(ledger: str) -> str:
    """The folder of an append-only ledger, one of LEDGERS."""
    if ledger not in LEDGERS:
        raise ValueError(f"no ledger named {ledger!r}; there are {', '.join(LEDGERS)}")
    return f"ledger/{ledger}"


def receipts_path() -> str:
    """The folder of what takedowns changed, `{id}.json` each."""
    return "receipts"


def revocations_path() -> str:
    """The folder of the signed revocations of released images, `{digest}.json` each."""
    return "ledger/revocations"


def events_path(source: str) -> str:
    """The folder of the events that were received of a source's crawl, `{digest}.parquet`."""
    return f"events/{source}"


def event_rejects_path(name: str) -> str:
    """A file of messages from event queues that no source could take, each with its reason."""
    return f"event_rejects/{name}.jsonl"


def crawl_listing_path(source: str) -> str:
    """The folder of the last complete listing of a crawl that events are received of."""
    return f"crawl_listings/{source}.parquet"
