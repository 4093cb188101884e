"""The documents as HTML: built as `make docs` and the package do it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the HTML; a warning fails the build."""
    out = tmp_path_factory.mktemp("html")
    words = ["-q", "-W", "--keep-going", "-c", "docs", "-d", str(out / "doctrees"), ".", str(out / "html")]
    done = subprocess.run([sys.executable, "-m", "sphinx", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out / "html"


def test_every_document_is_a_page(html: Path) -> None:
    """Whoever opens index.html gets the README, and from there every document."""
    index = (html / "index.html").read_text("utf-8")
    assert "<h1>realmd" in index
    for document in (*(ROOT / "docs").glob("*.rst"), ROOT / "CONTRIBUTING.rst", ROOT / "CHANGELOG.rst"):
        page = document.relative_to(ROOT).with_suffix(".html")
        assert (html / page).exists()
        assert f'href="{page}"' in index


def test_a_page_needs_nothing_that_is_not_there(html: Path) -> None:
    """The documents are read whole on a machine without network: pictures, styles, links to files."""
    lost = []
    for page in (html / "index.html", *(html / "docs").glob("*.html")):
        text = page.read_text("utf-8")
        asked = re.findall(r'<(?:script|img|link|source)\b[^>]*?(?:src|href)="([^"]+)"', text)
        asked += re.findall(r'<a class="reference external" href="(?!\w+:)([^"#?]+)', text)
        lost += [
            f"{page.name}: {one}"
            for one in asked
            if not one.startswith("#") and not (page.parent / one.partition("?")[0]).exists()
        ]
    assert lost == []


def test_a_document_is_called_by_its_title(html: Path) -> None:
    """A reader of the HTML meets the names of pages, not of their sources, and no table of contents twice."""
    text = (html / "docs/operations.html").read_text("utf-8")
    assert re.search(r'href="monitoring\.html"[^>]*>Monitoring<', text)
    assert re.search(r'href="settings\.html"[^>]*>Settings<', text)
    assert 'class="contents' not in text
