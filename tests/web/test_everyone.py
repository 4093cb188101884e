"""Everyone can use it: assistive technology, keyboards, phones; and the status page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page

from tests.process.daemon import Daemon

from .conftest import ROOT, Open, keep

AXE: Final = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong, by rule and element."""
    page.evaluate(Path(AXE).read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


def test_nothing_stands_in_the_way_of_anyone(daemon: Daemon, open_page: Open) -> None:
    """axe-core finds no violation: not in any panel, not on an agent's card, not at the door."""
    page = open_page(size=(1280, 760))
    page.click("#tab-people")
    page.locator("#people .row", has_text="here since").first.wait_for()
    keep(page, "map")
    page.locator("#people .row", has_text="Shalom").click()
    page.locator("#card h2", has_text="Shalom").wait_for()
    page.click("#join-open")
    found = {}
    for tab in ("talk", "people", "stations", "places"):
        page.click(f"#tab-{tab}")
        page.locator(f"#panel-{tab} h2, #panel-{tab} li").first.wait_for()
        found[tab] = violations(page)
    assert found == {"talk": [], "people": [], "stations": [], "places": []}


def test_keys_reach_everything(open_page: Open) -> None:
    """The Tab key alone leads from the picture to the tabs, the log and the door; arrows change tabs."""
    page = open_page()
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"view", "to-sound", "tab-talk", "find", "log", "join-open"} <= set(reached)
    page.focus("#tab-talk")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#panel-people")
    assert page.evaluate("document.activeElement.id") == "tab-people"


def test_it_fits_a_phone(open_page: Open) -> None:
    """On a phone nothing is wider than the screen; the panels wait below, and a thumb can walk."""
    page = open_page("/", size=(390, 780), has_touch=True, is_mobile=True, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    keep(page, "phone")
    page.tap("#to-panels")
    page.locator("#panel-talk").wait_for()
    page.tap("#to-panels")
    page.tap("#join-open")
    page.fill("#join-name", "Thea")
    page.tap("#join button[type=submit]")
    page.locator("#thumb").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_status_is_read_at_a_glance(daemon: Daemon, open_page: Open) -> None:
    """/status tells in words and charts how the realm is; the badge is a picture of the same."""
    page = open_page("/status", ready=".chart .curve[d]", size=(1100, 900))
    assert page.inner_text("#verdict") in ("All is well", "It serves, but something is not well")
    page.locator("#figures li", has_text="agents here").wait_for()
    assert page.locator(".chart").count() == 9
    assert violations(page) == []
    page.wait_for_function("document.querySelector('.chart .curve').getAttribute('d').split('L').length > 2")
    keep(page, "status")
    with daemon.http() as http:
        report = http.get("/api/status")[1]
    assert report["samples"][-1]["agents"] >= 4
    assert report["samples"][-1]["memoryMb"] > 10


@pytest.mark.parametrize("name", ["package-lock.json", "package.json"])
def test_the_lock_names_no_registry(name: str) -> None:
    """Packages come from whatever registry npm is set to, not from one that is written down here."""
    text = (ROOT / name).read_text("utf-8")
    assert "resolved" not in text
    assert "registry" not in text
    json.loads(text)
