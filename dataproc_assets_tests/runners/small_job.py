"""A job for the runner's tests: it does what its configuration says, by the job's contract."""

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path

from dataproc_assets.jobs.host import follow_parent, read_host, share
from dataproc_assets.jobs.progress import ProgressFile


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", type=Path)
    follow_parent()
    host = read_host(parser.parse_args().base)
    config = host.config()
    names = [path.name for path in (host.inputs / "todo").iterdir()]
    mine = share(names, host.rank, host.world)
    out = Path(config["out"])
    (out / f"pid-{host.rank}").write_text(str(os.getpid()))
    act = config["acts"].get(str(host.rank), "work")
    if act == "kill":
        sys.stderr.write("about to die\n")
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "raise":
        host.fail(RuntimeError("weights are missing"))
        raise SystemExit(1)
    if act == "exit":
        raise SystemExit(3)
    if act == "hang":
        threading.Event().wait()
    while act == "wait" and not (out / "go").exists():
        time.sleep(0.05)
    sys.stdout.write("at work\n")
    progress = ProgressFile(host.outputs, host.rank, len(mine), every_seconds=0)
    for name in mine:
        content = (host.inputs / "todo" / name).read_bytes().decode()
        progress.add("odd: a reason" if content == "odd" else None)
        lines = [content, os.environ["OMP_NUM_THREADS"], config["device"], str(host.rank)]
        (out / name).write_text("\n".join(lines))


if __name__ == "__main__":
    main()
