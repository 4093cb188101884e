"""The files of the page, as the daemon serves them."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import re
from pathlib import Path
from typing import Final

import pytest

from realmd.gateway.page import TYPES, Page
from tests.process.daemon import Daemon

from .conftest import ROOT

WEB: Final = ROOT / "realmd" / "web"
LINKS: Final = re.compile(r'(?:src|href)="([^":#]+\.[0-9a-f]{12}\.\w+)"')


def fetch(daemon: Daemon, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=15)
    connection.request("GET", path, headers={key.replace("_", "-"): value for key, value in headers.items()})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, {key.lower(): value for key, value in response.getheaders()}, body


def test_hashed_files_are_kept_for_a_year_and_documents_asked_again(daemon: Daemon) -> None:
    """A browser keeps what has its hash in its name, and asks for the document with its ETag."""
    status, headers, body = fetch(daemon, "/")
    assert (status, headers["cache-control"]) == (200, "no-cache")
    assert fetch(daemon, "/", If_None_Match=headers["etag"])[0] == 304
    links = LINKS.findall(body.decode())
    assert len(links) > 30, "every module is named ahead, so that none waits for another"
    for link in links:
        status, headers, body = fetch(daemon, f"/{link}")
        assert (status, headers["cache-control"]) == (200, "public, max-age=31536000, immutable")


def test_the_page_weighs_less_than_a_megabyte(daemon: Daemon) -> None:
    """A first visit loads less than 1 MB, compressed."""
    _, headers, document = fetch(daemon, "/", Accept_Encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    links = LINKS.findall(gzip.decompress(document).decode())
    weight = len(document) + sum(len(fetch(daemon, f"/{link}", Accept_Encoding="gzip")[2]) for link in links)
    print(f"page weight {weight} bytes")
    assert weight < 400_000


def test_who_takes_no_gzip_gets_the_same_files(daemon: Daemon) -> None:
    """A file is kept compressed only, and is the same, to the byte, for those who cannot unpack it."""
    for path in ("/", "/vendor/three.core.min.js", "/vendor/three.json", "/icon.svg"):
        _, plain, body = fetch(daemon, path)
        _, packed, shorter = fetch(daemon, path, Accept_Encoding="gzip")
        assert "content-encoding" not in plain
        assert body == (gzip.decompress(shorter) if "content-encoding" in packed else shorter)
        assert plain["etag"] == packed["etag"]
    assert body == (WEB / "icon.svg").read_bytes()


def test_every_file_of_the_page_has_a_type() -> None:
    """No browser is left to guess what a file is, which our headers forbid it."""
    suffixes = {path.suffix for path in WEB.rglob("*") if path.is_file() and not path.name.endswith(".d.ts")}
    assert suffixes - {".LICENSE"} == set(TYPES)


def test_the_policy_allows_no_inline_code(daemon: Daemon) -> None:
    """Only files of the daemon run in the page: the policy says so, and the documents have nothing inline."""
    for path in ("/", "/status"):
        _, headers, body = fetch(daemon, path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        text = body.decode()
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", text)


def test_the_badge_is_a_picture(daemon: Daemon) -> None:
    """/status.svg can stand in any other page."""
    status, headers, body = fetch(daemon, "/status.svg")
    assert (status, headers["content-type"]) == (200, "image/svg+xml; charset=utf-8")
    assert b">realm</text>" in body


def test_modules_that_import_each_other_are_refused(tmp_path: Path) -> None:
    """A circle of imports, which no hash can follow, is told at start and by name."""
    (tmp_path / "a.js").write_text('import "./b.js";')
    (tmp_path / "b.js").write_text("import('./a.js');")
    with pytest.raises(ValueError, match=r"a\.js → b\.js → a\.js"):
        Page(tmp_path)


def test_a_changed_module_changes_the_names_of_all_that_need_it(tmp_path: Path) -> None:
    """After an upgrade no browser runs an old module with a new one."""
    (tmp_path / "index.html").write_text('<script type="module" src="a.js"></script>')
    (tmp_path / "a.js").write_text("import { b } from './b.js';")
    names = []
    for text in ("export const b = 1;", "export const b = 2;"):
        (tmp_path / "b.js").write_text(text)
        names.append({path for path in Page(tmp_path).pages() if re.search(rb"\.[0-9a-f]{12}\.", path)})
    assert [len(found) for found in names] == [2, 2]
    assert not names[0] & names[1]


def test_three_is_what_its_makers_published() -> None:
    """The vendored files are byte for byte those whose version, licence and checksums stand beside them."""
    about = json.loads((WEB / "vendor" / "three.json").read_bytes())
    wanted = json.loads((ROOT / "package.json").read_bytes())["vendored"]["three"]
    assert (about["version"], about["license"]) == (wanted, "MIT")
    sums = {
        name: hashlib.sha256((WEB / "vendor" / name).read_bytes()).hexdigest() for name in about["sha256"]
    }
    assert sums == about["sha256"]
    assert "MIT License" in (WEB / "vendor" / "three.LICENSE").read_text("utf-8")


def test_modules_stay_small() -> None:
    """No module of the page grows beyond what fits a head."""
    long = {
        path.relative_to(WEB).as_posix(): count
        for path in [*WEB.glob("js/**/*.js"), *WEB.glob("css/*.css")]
        if (count := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert long == {}
