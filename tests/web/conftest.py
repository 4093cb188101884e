"""A real daemon, and a real browser that looks at it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.process.daemon import Daemon

ROOT: Final = Path(__file__).resolve().parents[2]
SCREENS: Final = ROOT / "build" / "screens"
#: Longest wait (ms) for anything that ought to happen soon, however busy the machine.
SOON: Final = 60_000
QUIET: Final = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--mute-audio",
)  # fmt: skip
SOFTWARE_WEBGL: Final = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_WEBGL: Final = ("--disable-3d-apis", "--disable-gpu")
#: The room is large enough for the crowd, and its inhabitants think rarely: the browser needs the machine.
SETTINGS: Final = {
    "REALMD_ROOM_MAX_AGENTS": "400",
    "REALMD_WORLD_COMMANDS_PER_SECOND": "1000",
    "REALMD_THINK_INTERVAL_MS": "3000",
    "REALMD_THINK_BUDGET_MS": "2000",
    "REALMD_PLUGINS_DIR": "",
}

Open = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever opens a page needs a browser, and what checks the page."""
    for item in items:
        if "playwright" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.needs("browser", "node"))


# These end with the folder: while Playwright runs, nothing else in its process can run an event loop.


@pytest.fixture(scope="package")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all; each test brings agents of its own."""
    daemon = Daemon(tmp_path_factory.mktemp("realm"), settings=SETTINGS).ready()
    yield daemon
    daemon.kill()


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


def launch(playwright: Playwright, *options: str) -> Browser:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path
    return playwright.chromium.launch(executable_path=path, args=[*QUIET, *options])


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Draws the cavern, without a graphics card."""
    browser = launch(playwright, *SOFTWARE_WEBGL)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def plain_browser(playwright: Playwright) -> Iterator[Browser]:
    """Has no WebGL at all."""
    browser = launch(playwright, *NO_WEBGL)
    yield browser
    browser.close()


WATCH: Final = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
"""


@pytest.fixture
def open_page(daemon: Daemon, browser: Browser) -> Iterator[Open]:
    """Open the page and wait for its first picture; at the end nothing may have gone wrong in it.

    `faults` of a page is the list of what did; a test that expects some empties it.
    """
    contexts: list[Any] = []
    faults: list[str] = []

    def open_page(
        path: str = "/?map", *, by: Browser = browser, port: int = 0, size: tuple[int, int] = (960, 600),
        ready: str = "body[data-ready]", **options: Any,
    ) -> Page:  # fmt: skip
        context = by.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        contexts.append(context)
        context.set_default_timeout(SOON)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: faults.append(request.url) if outside(request.url) else None)
        page.faults = faults  # type: ignore[attr-defined]
        page.goto(f"http://127.0.0.1:{port or daemon.port}{path}")
        page.wait_for_selector(ready, state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


#: Draw as finely as a graphics card would, for one picture.
FINE: Final = """() => new Promise((drawn) => {
  const view = globalThis.realm?.deep;
  if (!view || realm.view !== view) return drawn(null);
  view.quality.frame = () => null;
  view.quality.level = 2;
  view.eased();
  requestAnimationFrame(() => requestAnimationFrame(drawn));
})"""


def keep(page: Page, name: str) -> None:
    """A screenshot among those that people look at."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.evaluate(FINE)
    page.screenshot(path=SCREENS / f"{name}.png", timeout=SOON)
