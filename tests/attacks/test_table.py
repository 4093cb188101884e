"""What docs/security.rst says of the attacks."""

from __future__ import annotations

import re

from . import browsers, claims, floods, forgeries, keys, malformed, posing, slow, strangers, unread
from .siege import ROOT, Attack

ATTACKS = {
    attack.name: attack
    for module in (browsers, claims, floods, forgeries, keys, malformed, posing, slow, strangers, unread)
    for attack in vars(module).values()
    if isinstance(attack, Attack)
}


def test_the_security_page_tells_of_every_attack() -> None:
    """Whoever reads the table of attacks finds each that is tried, and none that is not."""
    page = (ROOT / "docs/security.rst").read_text("utf-8")
    table = page.partition("\nAttacks\n")[2].partition("\nThreat model\n")[0]
    assert set(re.findall(r"^     - ``test_(\w+)``$", table, re.MULTILINE)) == ATTACKS.keys()
