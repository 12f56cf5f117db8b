"""What the command lines of the trainings have in common."""

import argparse
from pathlib import Path


def ask_paths(about: str | None, *names: str) -> argparse.Namespace:
    """The paths that a command is given, each as `--{name} PATH`; all are required."""
    parser = argparse.ArgumentParser(description=about)
    for name in names:
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()
