"""Listing a crawl: ours, by folders or by ranges of keys, and boto3's paginator, on one S3 server.

`python benchmarks/listing.py [--keys N] [--folders F] [--connections C] [--rounds R]
[--latency-ms L]` starts a
server on this machine and puts N objects into F folders below one prefix, and N right below
another: ranges are for a flat folder on this server, as it does not begin a listing in the order
of its keys elsewhere. Each way then lists in turn, in a process of its own, and keys a second, the
ratio and peak memory are printed. All end with a listing's rows, sorted, in a frame. The server
shares the processors with them: where it is the limit, more connections show nothing. With a
latency, every request waits that long on its way, as one to a distant store does.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

sys.path.insert(0, str(Path(__file__).parent.parent))

TREE, FLAT = "tree", "flat"


def put_keys(keys: int, folders: int, bucket: str) -> None:
    """Objects of one byte, named as a crawler names them; numbers are spread as ids are."""
    from dataproc_assets.storage.objects import ObjectStore

    store = ObjectStore(f"s3://{bucket}")

    def put(number: int) -> None:
        name = f"{number * 7919 % 100_000_007:09d}_p0.webp"
        store.put(f"{TREE}/resized_{number % folders:04d}/{name}", b"x")
        store.put(f"{FLAT}/{name}", b"x")

    with ThreadPoolExecutor(16) as pool:
        for _ in pool.map(put, range(keys), chunksize=64):
            pass


def boto3_paginator(bucket: str, prefix: str, connections: int) -> int:
    """The paginator's pages, as most scripts collect them, then one frame."""
    import boto3
    import polars as pl

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    rows = [
        (item["Key"], item["Size"], item["LastModified"], item["ETag"].strip('"'))
        for page in pages
        for item in page.get("Contents", ())
    ]
    names = ["path", "size", "modified", "version"]
    return pl.DataFrame(rows, schema=names, orient="row").sort("path").height


def one_stream(bucket: str, prefix: str, connections: int) -> int:
    """Our listing with one request at a time."""
    from dataproc_assets.storage.objects import ObjectStore

    return ObjectStore(f"s3://{bucket}").list(prefix).height


def by_folders(bucket: str, prefix: str, connections: int) -> int:
    """Our listing, sub-folders side by side."""
    from dataproc_assets.config.intake import ByFolders
    from dataproc_assets.storage.listing import list_prefix
    from dataproc_assets.storage.objects import ObjectStore

    config = ByFolders(by="folders", connections=connections, split_after=2_000)
    return list_prefix(ObjectStore(f"s3://{bucket}"), prefix, config).height


def by_ranges(bucket: str, prefix: str, connections: int) -> int:
    """Our listing, ranges of keys side by side."""
    from dataproc_assets.config.intake import ByRanges
    from dataproc_assets.storage.listing import list_prefix
    from dataproc_assets.storage.objects import ObjectStore

    config = ByRanges(by="ranges", connections=connections)
    return list_prefix(ObjectStore(f"s3://{bucket}"), prefix, config).height


WAYS = {
    "boto3": boto3_paginator,
    "one stream": one_stream,
    "folders": by_folders,
    "ranges": by_ranges,
}
RUNS = [(TREE, "boto3"), (TREE, "one stream"), (TREE, "folders")]
RUNS += [(FLAT, "boto3"), (FLAT, "one stream"), (FLAT, "ranges")]


def run_one(prefix: str, name: str, bucket: str, connections: int) -> None:
    """One way in this process; prints its rows, its seconds without imports, its peak memory."""
    import boto3  # noqa: F401
    import polars  # noqa: F401

    import dataproc_assets.storage.listing  # noqa: F401

    base = peak_kib()
    start = time.perf_counter()
    rows = WAYS[name](bucket, prefix, connections)
    seconds = time.perf_counter() - start
    mib = (peak_kib() - base) / 1024
    print(json.dumps({"rows": rows, "seconds": seconds, "mib": mib}))


def peak_kib() -> int:
    """This process's peak memory; getrusage would count what its parent had when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@contextmanager
def slower(url: str, seconds: float) -> Iterator[str]:
    """The URL of a way to the server at `url` on which every request waits."""
    host, port = url.removeprefix("http://").split(":")

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, wait: float) -> None:
        while data := await source.read(1 << 16):
            await asyncio.sleep(wait)
            sink.write(data)
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, outer, seconds), copy(inner, writer, 0.0))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def main() -> None:
    """Run the ways in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=5_000)
    parser.add_argument("--folders", type=int, default=8)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--one", nargs=3, metavar=("PREFIX", "WAY", "BUCKET"))
    args = parser.parse_args()
    if args.one:
        run_one(args.one[0], args.one[1], args.one[2], args.connections)
        return
    from dataproc_assets_tests.s3 import BUCKET, s3_server

    found: dict[tuple[str, str], list[dict]] = {run: [] for run in RUNS}
    with tempfile.TemporaryDirectory() as folder, s3_server(Path(folder)) as variables:
        os.environ.update(variables)
        put_keys(args.keys, args.folders, BUCKET)
        with slower(variables["AWS_ENDPOINT_URL_S3"], args.latency_ms / 1000) as endpoint:
            if args.latency_ms:
                os.environ["AWS_ENDPOINT_URL_S3"] = endpoint
            for run in RUNS * args.rounds:
                command = [sys.executable, __file__, "--connections", str(args.connections)]
                command += ["--one", *run, BUCKET]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
                found[run].append(json.loads(done.stdout))
    assert {one["rows"] for runs in found.values() for one in runs} == {args.keys}
    print(
        f"{args.keys} keys, flat and in {args.folders} folders, {args.connections} connections, "
        f"{args.latency_ms:g} ms latency, {args.rounds} rounds; median [least, most]"
    )
    for (prefix, name), runs in found.items():
        seconds = sorted(one["seconds"] for one in runs)
        middle = statistics.median(seconds)
        peer = statistics.median(one["seconds"] for one in found[prefix, "boto3"])
        print(
            f"{prefix}: {name:10} {middle:6.2f} s [{seconds[0]:.2f}, {seconds[-1]:.2f}]  "
            f"{args.keys / middle:7.0f} keys/s  {peer / middle:5.1f} x boto3  "
            f"+{max(one['mib'] for one in runs):.0f} MiB at most"
        )


if __name__ == "__main__":
    main()
