"""Which adapters there are: modules of the package, or of anybody, found by their names."""

import difflib
import hashlib
from importlib.util import find_spec
from pathlib import Path

COLUMNS = "columns"
"""The adapter that needs no code: `columns` in the source's YAML says what is read."""

_SOURCES = Path(__file__).parent.parent / "sources"
_FOLDER = _SOURCES / "adapters"
PACKAGE = "dataproc_assets.sources.adapters"


def shipped() -> list[str]:
    """The names of the adapters in the package, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.py") if path.stem != "__init__")


def module_name(adapter: str) -> str:
    """The module that an adapter's name means: one with a dot is a module's full name."""
    return adapter if "." in adapter else f"{PACKAGE}.{adapter}"


def checked_adapter(name: str) -> str:
    """Return `name` where there is such an adapter; raises ValueError with the nearest one."""
    if "." in name:
        if _file(name) is None:
            raise ValueError(
                f"no module {name!r} can be found; the folder that holds its package must be "
                "installed or named in PYTHONPATH"
            )
        return name
    known = shipped()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"no adapter {name!r}; {hint}there are {', '.join(known)}, and a module of your own "
            "by its full name, as in my_package.my_site"
        )
    return name


def own_code(adapter: str) -> str | None:
    """The digest (SHA-256, hex) of an adapter's file that is not the package's; else None."""
    if "." not in adapter:
        return None
    file = _file(adapter)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file else None


def reading_code(adapter: str) -> str:
    """The digest (SHA-256, hex) of all code that makes a row of a raw record."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*.py")):
        digest.update(f"{path.relative_to(_SOURCES)}\0".encode() + path.read_bytes())
    return f"{digest.hexdigest()}{own_code(adapter) or ''}"


def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.has_location else None
