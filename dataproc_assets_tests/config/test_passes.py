from dataproc_assets.config.metrics import Pixels
from dataproc_assets.config.passes import part_fingerprint
from dataproc_assets.config.runners import DecodeConfig

PIXELS = Pixels(
    name="pixels",
    kind="pixels",
    on="todo",
    batch_size=1,
    version=1,
    seconds_per_image=0.1,
    sharpness_side=64,
    detail_side=64,
    decimals=2,
)
DECODE = DecodeConfig(
    max_pixels=10, max_bytes=10, max_seconds=1.0, background=[255, 255, 255], jpeg_side=512
)


def test_what_changes_pictures_changes_the_fingerprint() -> None:
    plain = part_fingerprint(PIXELS, DECODE)

    assert len(plain) == 16
    for change in ({"background": [0, 0, 0]}, {"jpeg_side": 256}):
        assert part_fingerprint(PIXELS, DECODE.model_copy(update=change)) != plain
    assert part_fingerprint(PIXELS.model_copy(update={"version": 2}), DECODE) != plain


def test_limits_do_not_score_every_image_again() -> None:
    raised = DECODE.model_copy(update={"max_pixels": 99, "max_bytes": 99, "max_seconds": 9.0})

    assert part_fingerprint(PIXELS, raised) == part_fingerprint(PIXELS, DECODE)
