"""The bulletin board and the plugin catalogue."""

from __future__ import annotations

from realmd.errors import Rejection
from realmd.world import commands as c
from realmd.world.model import Installed
from tests.world.worlds import T0, again, done, empty, peopled, refusal


def post(title: str) -> c.MoltbookPost:
    return c.MoltbookPost(agent_id="ann", title=title, content="…")


def test_the_board_keeps_the_newest_notes() -> None:
    """A note is told to everyone and kept until so many newer ones are there."""
    world = peopled("ann", board_posts=3)
    (told,) = done(world, post("0"))
    assert (told.title, told.content, [*world.tables.posts]) == ("0", "…", [told.post_id])
    for n in range(1, 5):
        done(world, post(str(n)))
    assert [note.title for note in world.tables.posts.values()] == ["2", "3", "4"]


def test_the_board_keeps_its_order() -> None:
    """Notes stay in the order they came, over failed commits, restarts and a clock set back."""
    world = peopled("ann", board_posts=12)
    for n in range(12):
        done(world, post(str(n)), T0 - 1000 * n)
    world.seal()
    order = [note.title for note in world.tables.posts.values()]
    done(world, post("lost"))
    world.undo(world.seal())
    assert [note.title for note in world.tables.posts.values()] == order
    rows = dict(sorted(world.tables.posts.items()))  # by key, as a store hands them out
    world.tables.posts = rows
    assert [note.title for note in again(world, T0).tables.posts.values()] == order


def test_a_plugin_is_published_installed_and_taken_out() -> None:
    """Anybody may; each step is told, a step out of turn refused, an id that is no agent's not told."""
    world = peopled("ann")
    (published,) = done(world, c.ClawhubPublish(id="maps", name="Maps", version="1.1.0"))
    assert (published.agent_id, published.plugin.version) == ("room", "1.1.0")
    assert refusal(world, c.ClawhubInstall(skill_id="globe")) == "not_found"
    assert refusal(world, c.ClawhubUninstall(skill_id="maps")) == "not_installed"
    (installed,) = done(world, c.ClawhubInstall(skill_id="maps"), T0 + 1)
    assert installed.installed == world.tables.installed["maps"] == Installed("maps", "1.1.0", T0 + 1)
    assert refusal(world, c.ClawhubInstall(skill_id="maps")) == "already_installed"
    (updated,) = done(world, c.ClawhubPublish(id="maps", name="Maps", version="2", agent_id="ann"))
    assert (updated.agent_id, len(world.tables.plugins)) == ("ann", 1)
    (unknown,) = done(world, c.ClawhubPublish(id="maps", name="Maps", version="3", agent_id="Buy now"))
    assert unknown.agent_id == "room"
    done(world, c.ClawhubUninstall(skill_id="maps"))
    assert world.tables.installed == {}


def test_plugins_found_on_disk_can_be_installed() -> None:
    """What the plugin folders hold is installable; a later reading replaces the earlier."""
    world = empty()
    assert done(world, c.CatalogueFound(versions={"old": "1", "new": "2"})) == ()
    done(world, c.ClawhubInstall(skill_id="new"))
    done(world, c.CatalogueFound(versions={}))
    assert world.catalogue == {}
    assert refusal(world, c.ClawhubInstall(skill_id="old")) == "not_found"
    done(world, c.ClawhubUninstall(skill_id="new"))


def test_the_catalogue_has_an_end() -> None:
    """A full catalogue takes new versions but no new plugin, and no more is installed than it may hold."""
    world = empty(plugins=2)
    for name in ("a", "b"):
        done(world, c.ClawhubPublish(id=name, name=name))
        done(world, c.ClawhubInstall(skill_id=name))
    assert refusal(world, c.ClawhubPublish(id="c", name="c")) == "catalogue_full"
    done(world, c.ClawhubPublish(id="a", name="a", version="2"))
    done(world, c.CatalogueFound(versions={"d": "1"}))
    assert refusal(world, c.ClawhubInstall(skill_id="d")) == "catalogue_full"


def test_strangers_share_one_allowance() -> None:
    """Who gives no known agentId cannot flood the journal, and does not slow those who are known."""
    world = peopled("ann")
    outcomes = [
        world.apply(c.ClawhubPublish(id="p", name="p", agent_id=None if n % 2 else f"s{n}"), T0)
        for n in range(30)
    ]
    assert [isinstance(outcome, Rejection) for outcome in outcomes] == [False] * 20 + [True] * 10
    done(world, c.ClawhubPublish(id="p", name="p", agent_id="ann"))
    assert len(world._allowance) == 2
