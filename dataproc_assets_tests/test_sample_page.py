"""The page as a browser and a program ask it: a real server on loopback."""

import json
import re
import socket
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

from dataproc_assets.sample_page import (
    MOST_GUIDANCE,
    MOST_PROMPT,
    GradioMissingError,
    sample_page,
    serve,
)
from dataproc_assets.sampler import Sampler
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.denoisers import trained
from dataproc_assets_tests.test_sampler import SAFETY

__all__ = ["trained"]  # a fixture
pytestmark = pytest.mark.filterwarnings("ignore:::gradio")  # of pandas, which it uses
USUAL = ["red", "64x64", 3.0, 2, 0]


@pytest.fixture(scope="module")
def sampler(trained: ObjectStore) -> Sampler:
    return Sampler(trained, "small", SAFETY)


@pytest.fixture(scope="module")
def url(sampler: Sampler, tmp_path_factory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        page = sample_page(sampler)
        yield serve(page, 0)
        page.close(verbose=False)


def ask(url: str, values: list[Any]) -> tuple[str, Any]:
    """The last event of a call of `draw`, and what came with it."""
    address, headers = f"{url}gradio_api/call/draw", {"Content-Type": "application/json"}
    body = json.dumps({"data": values}).encode()
    with urlopen(Request(address, body, headers)) as answer:
        number = json.load(answer)["event_id"]
    with urlopen(f"{address}/{number}") as answer:
        lines = answer.read().decode().splitlines()
    said = [line.partition(": ")[2] for line in lines if line]
    return said[-2], json.loads(said[-1])


def test_the_page_draws_what_the_command_draws(url: str, sampler: Sampler):
    event, (picture,) = ask(url, ["red", "96x64", 2.0, 3, 5])
    assert event == "complete"
    with urlopen(picture["url"]) as answer:
        found = np.asarray(Image.open(BytesIO(answer.read())))
    drawn = sampler.draw("red", size=(96, 64), guidance=2.0, steps=3, seed=5)
    assert np.array_equal(found, np.asarray(drawn))


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, "1girl, loli", "never released"),
        (0, "x" * (MOST_PROMPT + 1), f"more than {MOST_PROMPT} characters"),
        (1, "4096x4096", "not in the list"),
        (1, None, "is no size"),
        (2, -1.0, "minimum value 0"),
        (2, MOST_GUIDANCE + 1, "maximum value 50"),
        (2, float("nan"), "guidance must be a number from 0 to 50"),
        (3, 0, "minimum value 1"),
        (3, 1_000_000, "maximum value 200"),
        (3, None, "Expected a `float`, but the value passed to the event handler was: None"),
        (4, -1, "minimum value 0"),
        (4, None, "seed must be a number from 0 to"),
    ],
)
def test_what_cannot_be_drawn_is_told(url: str, place: int, value: Any, said: str):
    values = [*USUAL[:place], value, *USUAL[place + 1 :]]
    event, error = ask(url, values)
    assert event == "error" and said in error["error"]
    assert ask(url, USUAL)[0] == "complete"  # and the page goes on


def test_a_prompt_may_be_left_out(url: str):
    assert ask(url, [None, *USUAL[1:]])[0] == "complete"


def test_it_listens_on_one_address_of_this_machine(url: str):
    where = urlsplit(url)
    assert where.hostname == "127.0.0.1" and where.port
    with pytest.raises(ConnectionRefusedError):  # a server of all addresses would answer
        socket.create_connection(("127.0.0.2", where.port))


def test_the_page_loads_nothing_from_elsewhere(url: str):
    with urlopen(url) as answer:
        text = answer.read().decode()
    with urlopen(f"{url}config") as answer:
        styles = json.load(answer)["stylesheets"]  # a theme's fonts, which a script adds
    loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"', text)
    assert loaded
    assert {urlsplit(address).hostname for address in loaded + styles} <= {None, "127.0.0.1"}


def test_without_gradio_it_is_told_what_to_install(sampler: Sampler, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(GradioMissingError, match=r"pip install 'dataproc-assets\[sample\]'"):
        sample_page(sampler)
