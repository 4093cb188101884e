"""How Sphinx makes HTML of the documents: `make docs`.  The README is the first page."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from realmd import __version__  # noqa: E402

project = "realmd"
author = "the realmd developers"
project_copyright = author
version = release = __version__

# The root of the source, so that the links by which the documents are read on disk lead here, too.
root_doc = "README"
include_patterns = ["README.rst", "CHANGELOG.rst", "CONTRIBUTING.rst", "bench/README.rst", "docs/*.rst"]
CHAPTERS = {
    "For agents": ["protocol", "nostr"],
    "For visitors": ["page"],
    "For operators": ["operations", "monitoring", "settings", "security", "runbook", "sizing", "performance"],
    "For developers": ["architecture", "/CONTRIBUTING", "/bench/README", "/CHANGELOG"],
}

html_theme = "furo"
html_title = f"realmd {release}"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
# What the documents link to beside each other.
html_extra_path = ["../etc", "../LICENSE"]
highlight_language = "none"


def with_chapters(app: Sphinx, name: str, source: list[str]) -> None:
    """Give the README the list of all documents, which its readers on disk have as a table."""
    if name == root_doc:
        for caption, documents in CHAPTERS.items():
            paths = "\n   ".join(d if d.startswith("/") else f"/docs/{d}" for d in documents)
            source[0] += f"\n.. toctree::\n   :hidden:\n   :caption: {caption}\n\n   {paths}\n"


def without_contents(app: Sphinx, tree: nodes.document) -> None:
    """Take out the tables of contents; the theme has one at the side."""
    for topic in list(tree.findall(nodes.topic)):
        if "contents" in topic["classes"]:
            topic.parent.remove(topic)


def lead_to_pages(app: Sphinx, tree: nodes.document, name: str) -> None:
    """Turn links to files into links to what is made of them; one that leads nowhere is a warning."""
    for link in tree.findall(nodes.reference):
        target, hash_, part = link.get("refuri", "").partition("#")
        file = (ROOT / name).parent.joinpath(target).resolve()
        if not target or ":" in target:
            continue
        if not file.is_relative_to(ROOT) or not file.exists():
            logging.getLogger(__name__).warning("no such file: %s", target, location=link)
        elif file.suffix == ".rst":
            link["refuri"] = f"{target.removesuffix('.rst')}.html{hash_}{part}"
            if link.astext() == target:
                link[:] = [nodes.Text(app.env.titles[str(file.relative_to(ROOT).with_suffix(""))].astext())]
        elif file.is_relative_to(ROOT / "etc"):
            link["refuri"] = "../" * name.count("/") + str(file.relative_to(ROOT / "etc"))


def first_page(app: Sphinx, error: Exception | None) -> None:
    """The page that browsers and web servers look for."""
    if error is None:
        shutil.copyfile(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    app.connect("source-read", with_chapters)
    app.connect("doctree-read", without_contents)
    app.connect("doctree-resolved", lead_to_pages)
    app.connect("build-finished", first_page)
