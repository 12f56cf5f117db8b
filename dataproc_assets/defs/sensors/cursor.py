"""What a sensor remembers from tick to tick, as its cursor: versioned JSON."""

import json
from collections.abc import Callable
from typing import Any

import dagster as dg

from dataproc_assets.storage.digest import json_digest

VERSION = 1
Failed = Callable[[str], str | None]


class Cursor:
    """The states that a sensor asked for, by item, and notes that spare it work.

    A cursor that is lost, of another version or no JSON is an empty one: at most a run is then
    asked for again that changes nothing.
    """

    def __init__(self, text: str | None = None) -> None:
        self._asked, self._notes = _read(text)

    def ask(self, item: str, state: str, made: str = "") -> str | None:
        """The run key for making an item in a state; None where that was the last thing asked for.

        The key is a digest over the key before it and the state. So a tick that is repeated with
        the cursor it had gives the same key, for which Dagster starts no second run, and a state
        that comes back later gives another. `made`, the state of what is there, stands in for a
        key that is not known.
        """
        before = self._asked.get(item, {})
        if before.get("state") == state:
            return None
        key = f"{item}-{json_digest([before.get('key', made), state])[:32]}"
        self._asked[item] = {"state": state, "key": key}
        return key

    def key(self, item: str) -> str:
        """The run key that was last given for an item, empty where there is none."""
        return self._asked.get(item, {}).get("key", "")

    def settle(self, item: str) -> None:
        """There is nothing to ask for: what comes is news, even a state that was there before."""
        if item in self._asked:
            self._asked[item] = {"key": self._asked[item]["key"]}

    def note(self, item: str, of: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, in JSON's types, made again only where `of` is not as it was."""
        if self._notes.get(item, {}).get("of") != of:
            self._notes[item] = {"of": of, "value": make()}
        return self._notes[item]["value"]

    @property
    def text(self) -> str:
        """The cursor as Dagster keeps it."""
        content = {"version": VERSION, "asked": self._asked, "notes": self._notes}
        return json.dumps(content, sort_keys=True)


def failed_run(instance: dg.DagsterInstance) -> Failed:
    """Looks for the run of a run key: its id where it failed, None where it did not."""

    def look(key: str) -> str | None:
        wanted = dg.RunsFilter(tags={"dagster/run_key": key})
        runs = instance.get_runs(wanted, limit=1)
        return runs[0].run_id if runs and runs[0].status == dg.DagsterRunStatus.FAILURE else None

    return look


def no_failure(_: str) -> None:
    """For a tick that knows of no runs."""


def asked_already(what: str, key: str, failed: Failed) -> str:
    """Why nothing is asked for: it was, and what came of it."""
    run = failed(key)
    if run:
        return f"{what} was asked for and failed: look at run {run}, and re-execute it"
    return f"{what} was asked for already"


def _read(text: str | None) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    try:
        content = json.loads(text or "")
        if content["version"] != VERSION:
            return {}, {}
        asked = {
            item: {
                "key": str(was["key"]),
                **({"state": str(was["state"])} if "state" in was else {}),
            }
            for item, was in content["asked"].items()
        }
        notes = {item: {"of": n["of"], "value": n["value"]} for item, n in content["notes"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}, {}
    return asked, notes
