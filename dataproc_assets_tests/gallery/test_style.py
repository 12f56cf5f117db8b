"""Whether text can be read: the contrast that WCAG 2.2 asks of level AA, in light and in dark."""

import re

import pytest

from dataproc_assets.gallery.render import STYLE

TEXT = 4.5
CONTROL = 3.0  # of what shows where a field and the focus are
GROUNDS = ("paper", "card", "well")


def schemes() -> dict[str, dict[str, str]]:
    """The colours by name of each scheme."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    found = {"light": _colours(light)}
    return {**found, "dark": {**found["light"], **_colours(dark)}}


def _colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_the_standard_says():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_on_every_ground(scheme):
    colours = schemes()[scheme]
    for name in ("ink", "soft", "accent", "warn"):
        for ground in GROUNDS:
            found = contrast(colours[name], colours[ground])
            assert found >= TEXT, f"{name} on {ground}: {found:.2f}"
    assert contrast(colours["card"], colours["accent"]) >= TEXT  # of buttons and badges


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fields_and_focus_can_be_seen(scheme):
    colours = schemes()[scheme]
    for ground in GROUNDS:
        assert contrast(colours["soft"], colours[ground]) >= CONTROL
        assert contrast(colours["accent"], colours[ground]) >= CONTROL


def test_no_text_is_made_fainter_than_its_colour():
    faint = re.findall(r"opacity: ([\d.]+)", STYLE)
    assert set(faint) <= {"1"}


def test_both_schemes_name_the_same_colours():
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    assert set(_colours(light)) == set(_colours(dark))
