"""Puts the digests of new weights into the YAML that names them.

python -m training.write_digests
"""

import re
from hashlib import sha256
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "dataproc_assets"
ENTRY = re.compile(r'(uri: package:dataproc_assets/(\S+)\s+sha256: ")[0-9a-f]{64}')


def main() -> None:
    """Runs the command in the module's first lines."""
    for path in sorted((PACKAGE / "conf").glob("*s/*.yaml")):
        text = path.read_text()
        renewed = ENTRY.sub(
            lambda m: m[1] + sha256((PACKAGE / m[2]).read_bytes()).hexdigest(), text
        )
        if renewed != text:
            path.write_text(renewed)
            print(f"{path.name}: renewed")


if __name__ == "__main__":
    main()
