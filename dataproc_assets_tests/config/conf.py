"""A copy of the shipped conf/ to break."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataproc_assets.config.project import CONF, load_project
from dataproc_assets.config.yaml import ConfigError


def copy_conf(folder: Path) -> Path:
    """A copy below `folder`, named conf, as messages name it."""
    return Path(shutil.copytree(CONF, folder / "conf"))


def replace(path: Path, old: str, new: str) -> None:
    """Replace a text that stands in the file once."""
    text = path.read_text("utf-8")
    assert text.count(old) == 1, (path, old, text.count(old))
    path.write_text(text.replace(old, new), "utf-8")


def change(path: Path, **values: Any) -> None:
    """Set top-level keys of a file; a name `a__b` is the key `b` below `a`."""
    content = yaml.safe_load(path.read_text("utf-8"))
    for name, value in values.items():
        inner = content
        *outer, last = name.split("__")
        for key in outer:
            inner = inner[key]
        inner[last] = value
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")


def message(conf: Path) -> str:
    """What is said of a folder that is wrong."""
    with pytest.raises(ConfigError) as caught:
        load_project(conf)
    return str(caught.value)
