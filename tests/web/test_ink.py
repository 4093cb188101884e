"""What the page draws of each character that there is: what the realm takes for visible can be seen."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Browser

from realmd.world.text.visible import has_ink

from .conftest import Open

#: Draw code points a thousand at a time in the page's own font, and give those that leave no pixel.
BLANK: Final = """(points) => {
  const [wide, high, across, down] = [40, 48, 32, 32];
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [wide * across, high * down];
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  pen.font = getComputedStyle(document.body).font;
  pen.fillStyle = '#000';
  const inked = (pixels, left, top) => {
    for (let y = top; y < top + high; y++)
      for (let x = left; x < left + wide; x++) if (pixels[y * canvas.width + x] >>> 24) return true;
    return false;
  };
  const blank = [];
  for (let from = 0; from < points.length; from += across * down) {
    const batch = points.slice(from, from + across * down);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const at = batch.map((_, i) => [wide * (i % across), high * Math.floor(i / across)]);
    batch.forEach((point, i) => pen.fillText(String.fromCodePoint(point), at[i][0] + 10, at[i][1] + 30));
    const pixels = new Uint32Array(pen.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    blank.push(...batch.filter((_, i) => !inked(pixels, ...at[i])));
  }
  return blank;
}"""


def test_what_is_taken_for_visible_can_be_seen(open_page: Open, plain_browser: Browser) -> None:
    """Of all characters, one that makes a name or a line by itself leaves ink on the page."""
    page = open_page(by=plain_browser)
    points = [point for point in range(0x110000) if has_ink(chr(point))]
    assert len(points) > 140_000
    assert page.evaluate(BLANK, [ord(" "), 0x2800, 0x200B, ord("a")]) == [ord(" "), 0x2800, 0x200B]
    assert [f"U+{point:04X}" for point in page.evaluate(BLANK, points)] == []
