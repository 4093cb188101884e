"""What the page's policy keeps a browser from, tried in one."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Open

#: Ways in which text of somebody else could become code, or leave the page.
ATTACKS = {
    "inline script": "const s = document.createElement('script'); s.append('globalThis.owned = 1'); "
    "document.body.append(s)",
    "markup": "document.body.innerHTML = '<img src=x onerror=\"globalThis.owned = 1\">'",
    "parsed markup": "const d = new DOMParser().parseFromString('<b>x</b>', 'text/html'); "
    "globalThis.owned = 1; document.body.append(d.body.firstChild)",
    "handler": "document.body.setAttribute('onclick', 'globalThis.owned = 1'); document.body.click()",
    "eval": "eval('globalThis.owned = 1')",
    "function": "new Function('globalThis.owned = 1')()",
    "data script": "const s = document.createElement('script'); s.src = 'data:text/javascript,owned=1'; "
    "document.body.append(s)",
    "base": "const b = document.createElement('base'); b.href = 'http://127.0.0.1:9/'; "
    "document.head.append(b); if (document.baseURI.includes(':9/')) globalThis.owned = 1",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_text_does_not_become_code(open_page: Open, name: str) -> None:
    """Even if a defect let somebody's words into the document, they would not run."""
    # Later, and not at once: what a debugger evaluates may use eval.
    attack = f"() => setTimeout(() => {{ {ATTACKS[name]} }})"
    open_to_all: Any = open_page(bypass_csp=True)
    open_to_all.evaluate(attack)
    open_to_all.wait_for_function("() => globalThis.owned === 1")  # else this would prove nothing
    open_to_all.faults.clear()
    page: Any = open_page()
    page.evaluate(attack)
    for _ in range(500):
        if any("CSP: " in fault for fault in page.faults):
            break
        page.wait_for_timeout(20)
    else:
        pytest.fail(f"nothing was blocked: {page.faults}")
    assert page.evaluate("() => globalThis.owned") is None
    assert page.evaluate("() => document.body.dataset.ready") is not None
    page.faults.clear()


def test_nothing_leaves_for_another_site(open_page: Open) -> None:
    """The page can talk to the realm that it came from, and to nobody else."""
    page: Any = open_page()
    blocked = page.evaluate(
        """async () => {
          const other = `http://127.0.0.1:${Number(location.port) === 1024 ? 1025 : 1024}/`;
          const failed = [];
          for (const [name, ask] of Object.entries({
            fetch: () => fetch(other),
            beacon: () => navigator.sendBeacon(other, 'x') ? Promise.reject() : null,
            socket: () => new Promise((open, shut) => {
              const socket = new WebSocket(other.replace('http', 'ws'));
              socket.onopen = open; socket.onerror = shut;
            }),
          })) try { await ask() } catch { failed.push(name) }
          return failed;
        }"""
    )
    violated = " ".join(page.faults)
    assert set(blocked) >= {"fetch", "socket"}
    assert violated.count("CSP: connect-src") >= 2
    page.faults.clear()
