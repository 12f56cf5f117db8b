"""A real S3 server for tests and for the demo: SeaweedFS on loopback, in folders of its own.

    python -m dataproc_assets_tests.s3 FOLDER COMMAND...

runs a command with a server and its `AWS_*` variables, then ends the server. What was written
stays in FOLDER for the next command.
"""

import argparse
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BUCKET = "test"
START_SECONDS, STOP_SECONDS = 60.0, 15.0
IDENTITY = {
    "name": "dev",
    "credentials": [{"accessKey": "testkey", "secretKey": "testsecret"}],
    "actions": ["Admin", "Read", "List", "Tagging", "Write"],
}
NO_LIST = {
    "name": "reader",
    "credentials": [{"accessKey": "readkey", "secretKey": "readsecret"}],
    "actions": ["Read"],
}


@contextmanager
def s3_server(folder: Path, port: int | None = None) -> Iterator[dict[str, str]]:
    """The `AWS_*` variables of a server with one bucket, BUCKET, that ends with this process.

    `port` is where it answers, by default a free one.
    """
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if weed is None:
        raise FileNotFoundError("there is no `weed`: install the package's extra `dev`")
    for name in ("data", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    config, log = folder / "s3.json", folder / "log.txt"
    config.write_text(json.dumps({"identities": [IDENTITY, NO_LIST]}))
    free, master, filer, volume, admin = _free_ports(5)
    s3 = port or free
    command = [
        *(weed, "mini", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        "-volume.max=2000",  # by default as many as the disk has room for, were they all full
        *("-master.telemetry=false", "-admin.ui=false", "-webdav=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={config}"),
        *(f"-s3.port={s3}", f"-master.port={master}", f"-filer.port={filer}"),
        *(f"-volume.port={volume}", f"-admin.port={admin}"),
    ]
    with log.open("wb") as out:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder / "tmp"), "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=_end_with_parent,
        )
    variables = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3}",
        "AWS_ACCESS_KEY_ID": "testkey",
        "AWS_SECRET_ACCESS_KEY": "testsecret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        _wait(server, variables["AWS_ENDPOINT_URL_S3"], log)
        _make_bucket(variables)
        yield variables
    finally:
        _stop(server)
        # SeaweedFS leaves this one behind, in /tmp whatever TMPDIR says
        Path(f"/tmp/seaweedfs-s3-{s3}.sock").unlink(missing_ok=True)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server; it is asked first, so that it takes its sockets away."""
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _end_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    """Ports that are free, and whose gRPC ports, 10000 above, are free too."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as low, socket.socket() as high:
            low.bind(("127.0.0.1", 0))
            port = low.getsockname()[1]
            port = port - 10_000 if port > 55_000 else port
            try:
                high.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Return once the server answers; raise with the end of its log where it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return  # it answers: it only asks who we are
        except OSError:
            time.sleep(0.1)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    state = "ended" if server.poll() is not None else f"gave no answer in {START_SECONDS:.0f} s"
    raise RuntimeError(f"the S3 server {state}; its log ends with\n{tail}")


def _make_bucket(variables: dict[str, str]) -> None:
    """Make BUCKET, unless an earlier server of the same folder did."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_REGION"],
    )
    with suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=BUCKET)


def main() -> int:
    """Runs the command in the module's first lines; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    with s3_server(asked.folder.absolute()) as variables:
        return subprocess.run(
            asked.command, env={**os.environ, **variables}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
