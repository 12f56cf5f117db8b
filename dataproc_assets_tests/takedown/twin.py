"""The picture of the small world that is posted twice, and what would tell of it anywhere."""

from hashlib import md5, sha256

from dataproc_assets_tests.defs.posts import TWIN, picture

PICTURE = picture(100)
NEEDLES = {
    "key": TWIN[0].encode(),
    "file name": b"100_p0",
    "copy's key": TWIN[1].encode(),
    "sha256": sha256(PICTURE).hexdigest().encode(),
    "md5": md5(PICTURE).hexdigest().encode(),
    "bytes": PICTURE,
}
