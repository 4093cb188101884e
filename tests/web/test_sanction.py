"""What the operator imposes on a human who joined from the page."""

from __future__ import annotations

from tests.process.daemon import Daemon
from tests.process.test_operator import done

from .conftest import Open
from .test_hands import join


def test_a_human_is_told_what_the_operator_did(daemon: Daemon, open_page: Open) -> None:
    """Muted, one reads why and until when; sent out, one reads why and stays outside."""
    page = open_page()
    human = join(page, "Rufus")
    done(daemon.folder, "mute", human, "--for", "2h", "--reason", "Too many capitals.")
    page.wait_for_selector("#sanction:not([hidden])")
    told = page.inner_text("#sanction-text")
    assert told.startswith("The operator has muted you until ")
    assert told.endswith(". Too many capitals.")
    page.click("#sanction-read")
    assert page.is_hidden("#sanction")
    done(daemon.folder, "kick", human, "--reason", "Enough.")
    page.wait_for_selector("#sanction:not([hidden])")
    assert page.inner_text("#sanction-text") == "The operator has sent you out. Enough."
    page.wait_for_selector("body[data-link=open]")
    assert page.is_visible("#join-open")
    assert page.evaluate("realm.avatar.id") is None
