"""The bulletin board and the plugin catalogue."""

from __future__ import annotations

from realmd.primitives.errors import Rejection
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
    """Each step is told, and a step out of turn is refused; what no agent did is a program's of this host."""
    world = empty()
    (published,) = done(world, c.ClawhubPublish(id="maps", name="Maps", version="1.1.0", author="Ann"))
    assert (published.agent_id, published.plugin.version) == ("room", "1.1.0")
    assert (published.plugin.author, published.plugin.credit) == ("", "Ann")
    assert refusal(world, c.ClawhubInstall(skill_id="globe")) == "not_found"
    assert refusal(world, c.ClawhubUninstall(skill_id="maps")) == "not_installed"
    (installed,) = done(world, c.ClawhubInstall(skill_id="maps"), T0 + 1)
    assert installed.installed == world.tables.installed["maps"] == Installed("maps", "1.1.0", T0 + 1)
    assert done(world, c.ClawhubInstall(skill_id="maps"), T0 + 2) == ()
    assert world.tables.installed["maps"].installed_at == T0 + 1
    (again,) = done(world, c.ClawhubPublish(id="maps", name="Maps", version="2"))
    assert (again.plugin.version, len(world.tables.plugins)) == ("2", 1)
    done(world, c.ClawhubUninstall(skill_id="maps"))
    assert world.tables.installed == {}


def test_a_plugin_is_its_publishers() -> None:
    """Nobody else publishes under its id, nor under one that looks like it, whatever author is named."""
    world = peopled("ann", "bob")
    done(world, c.ClawhubPublish(agent_id="ann", id="maps", name="Maps"))
    done(world, c.CatalogueFound(versions={"lamp": "1"}))
    for publisher in ("bob", None):
        for id in ("maps", "m\u0430ps", "MAPS", " maps\u202e", "lamp"):
            theft = c.ClawhubPublish(agent_id=publisher, id=id, name="Maps", author="ann", version="6")
            assert refusal(world, theft) == "plugin_taken", id
    assert refusal(world, c.ClawhubPublish(agent_id="ghost", id="x", name="X")) == "unknown_agent"
    done(world, c.ClawhubPublish(agent_id="ann", id="maps", name="Maps", version="2"))
    assert (world.tables.plugins["maps"].author, world.tables.plugins["maps"].version) == ("ann", "2")


def test_a_new_version_is_told_to_who_installed_it_and_waits_for_it() -> None:
    """What is installed stays until its installer takes the new version or takes it out; others may not."""
    world = peopled("ann", "bob", "cid")
    done(world, c.ClawhubPublish(agent_id="ann", id="maps", name="Maps", version="1"))
    done(world, c.ClawhubInstall(agent_id="bob", skill_id="maps"))
    published, told = done(world, c.ClawhubPublish(agent_id="ann", id="maps", name="Maps", version="2"))
    assert (published.plugin.version, type(told).__name__) == ("2", "Republished")
    assert (told.to_agent_id, told.version, told.installed_version) == ("bob", "2", "1")
    assert world.tables.installed["maps"].version == "1"
    for other in ("ann", "cid", None):
        assert done(world, c.ClawhubInstall(agent_id=other, skill_id="maps")) == ()
        assert world.tables.installed["maps"] == Installed("maps", "1", T0, "bob")
        assert refusal(world, c.ClawhubUninstall(agent_id=other, skill_id="maps")) == "not_installer"
    done(world, c.ClawhubInstall(agent_id="bob", skill_id="maps"), T0 + 1)
    assert world.tables.installed["maps"] == Installed("maps", "2", T0 + 1, "bob")
    done(world, c.ClawhubUninstall(agent_id="bob", skill_id="maps"))
    assert (world.tables.installed, [*world.tables.plugins]) == ({}, ["maps"])


def test_the_operator_takes_any_plugin_out() -> None:
    """Out of the room, and if asked out of the catalogue; then its id is free again."""
    world = peopled("ann", "bob")
    done(world, c.ClawhubPublish(agent_id="ann", id="maps", name="Maps"))
    done(world, c.ClawhubInstall(agent_id="bob", skill_id="maps"))
    phases = [event.phase for event in done(world, c.Remove(skill_id="maps", unpublish=True))]
    assert phases == ["uninstalled", "unpublished"]
    assert refusal(world, c.Remove(skill_id="maps")) == "not_found"
    done(world, c.ClawhubPublish(agent_id="bob", id="maps", name="Maps"))


def test_who_owns_a_plugin_is_not_forgotten() -> None:
    """No flood of newcomers has an agent forgotten so that its id, and its plugins, can be taken."""
    world = peopled("ann", "bob", profiles=3)
    done(world, c.ClawhubPublish(agent_id="ann", id="maps", name="Maps"))
    for agent in ("ann", "bob"):
        done(world, c.WorldLeave(agent_id=agent))
    later = T0 + world.limits.forget_after + 1
    for newcomer in ("cid", "dot"):
        done(world, c.Register(agent_id=newcomer), later)
    assert ("ann" in world.tables.profiles, "bob" in world.tables.profiles) == (True, False)


def test_one_agent_has_its_share_of_the_catalogue() -> None:
    """Nobody fills the catalogue, or installs all there is, alone."""
    world = peopled("ann", "bob", own_plugins=2)
    for name in ("a", "b", "c", "d"):
        publish = c.ClawhubPublish(agent_id="ann" if name < "c" else "bob", id=name, name=name)
        done(world, publish)
    assert refusal(world, c.ClawhubPublish(agent_id="ann", id="e", name="e")) == "catalogue_full"
    done(world, c.ClawhubPublish(agent_id="ann", id="a", name="a", version="2"))
    for name in ("c", "d"):
        done(world, c.ClawhubInstall(agent_id="ann", skill_id=name))
    assert refusal(world, c.ClawhubInstall(agent_id="ann", skill_id="a")) == "catalogue_full"


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
    outcomes = [world.apply(c.ClawhubPublish(id="p", name="p"), T0) for n in range(30)]
    assert [isinstance(outcome, Rejection) for outcome in outcomes] == [False] * 20 + [True] * 10
    done(world, c.ClawhubPublish(id="q", name="q", agent_id="ann"))
    assert len(world._allowance) == 2
