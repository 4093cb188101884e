"""What the realm answers to questions, beyond what the examples in tests/wire/ show."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.protocol import views
from realmd.protocol.encode import encode
from realmd.world import commands, queries
from realmd.world.model import Skill
from tests.world.worlds import MASTER, T0, done, empty, join, peopled

ROOM = views.Room("hall", "The Hall", "Large.", "https://realm.example", ("wss://relay.example",), "c0ffee")


def test_inhabitants_take_no_seat_but_are_known() -> None:
    """A room says how many seats its guests have taken; those who live there have their own."""
    world = empty(max_agents=3)
    for being in world.atlas.inhabitants:
        done(world, commands.Inhabit(agent_id=being))
    join(world, "ada")
    assert views.room_info(world, ROOM) == {
        "roomId": "hall", "name": "The Hall", "description": "Large.",
        "agents": 1, "maxAgents": 3, "nostrChannelId": "c0ffee", "epoch": "",
    }  # fmt: skip
    assert views.invite(world, ROOM) == {
        "roomId": "hall", "name": "The Hall", "relays": ["wss://relay.example"], "channelId": "c0ffee",
        "agents": 1, "maxAgents": 3, "url": "https://realm.example", "publicUrl": "https://realm.example",
    }  # fmt: skip
    known = json.loads(encode(views.profiles(world, queries.Profiles())))["profiles"]
    assert {profile["agentId"] for profile in known} == {*world.atlas.inhabitants, "ada"}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=64))
def test_the_page_follows_an_agent_of_any_name(agent_id: str) -> None:
    """Whatever an agent is called, the address of its page names it and nothing else."""
    address = urlsplit(views.preview_url(ROOM, agent_id))
    assert (address.scheme, address.netloc, address.path, address.fragment) == (
        "https", "realm.example", "/", "",
    )  # fmt: skip
    assert parse_qs(address.query, keep_blank_values=True) == {"agent": [agent_id]}


def test_whereabouts_tell_of_a_walk_and_of_work() -> None:
    """Who asks about an agent learns where it stands, where it goes and what it holds."""
    world = peopled("ada")
    station = world.atlas.workstations["memory-archive"]
    done(world, commands.GoToWorkstation(agent_id="ada", workstation_id=station.id))
    walking = json.loads(encode(views.whereabouts(world, "ada")))
    assert walking["walkingTo"] == {"x": station.x, "z": station.z, "workstationId": station.id}
    now = T0
    while world.claim_of("ada") is None:
        now += 1000
        world.advance(now)
    done(world, commands.WorkStart(agent_id="ada"), now)
    working = json.loads(encode(views.whereabouts(world, "ada")))
    assert "walkingTo" not in working
    assert (working["workstationId"], working["workingSince"]) == (station.id, now)
    assert working["zone"] == station.zone
    shown = views.workstation(world, station.id)
    assert (shown["occupiedBy"], shown["workingSince"]) == ("ada", now)
    assert views.whereabouts(world, "nobody") == {"present": False}


NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"


@pytest.mark.parametrize("secret", ["darn", NSEC])
def test_a_sender_is_told_that_something_was_masked(secret: str) -> None:
    """Whatever it wrote: if others do not see a word or a secret of it, its answer says so, else not."""
    world = peopled("ada", "bob", blocked_words=("darn",))
    (asked, *_) = done(world, commands.AgentRequest(agent_id="bob", to_agent_id="ada", request_type="info"))

    def told(command: commands.Command) -> bool:
        return views.reply(world, ROOM, command, done(world, command)).get("masked", False)

    for text, masked in ((f"say {secret}, they said", True), ("darned: 12 words", False)):
        assert {
            told(commands.Register(agent_id="ada", bio=text)),
            told(commands.WorldChat(agent_id="ada", text=text)),
            told(commands.MoltbookPost(agent_id="ada", title=text, content="none")),
            told(commands.AgentMessage(agent_id="ada", to_agent_id="bob", content=text)),
            told(commands.AgentRequest(
                agent_id="ada", to_agent_id="bob", request_type="task", payload=[{text: 1}]
            )),
            told(commands.ClawhubPublish(id="lamp", name=text)),
        } == {masked}  # fmt: skip
        assert not told(commands.WorldEmote(agent_id="ada"))
    named = {"password": "x"}
    assert told(commands.AgentRespond(agent_id="ada", request_id=asked.request_id, response=named))


def test_the_catalogue_lists_a_plugin_once() -> None:
    """What lies in a folder goes before what was published, and each says whether it is installed."""
    world = empty()
    found = [
        {"id": "lamp", "name": "Lamp", "version": "1.0.0"},
        {"id": "bell", "name": "Bell", "version": "1.0.0"},
    ]
    done(world, commands.ClawhubPublish(id="lamp", name="Lamp", version="2.0.0"))  # before it was found
    done(world, commands.ClawhubPublish(id="oven", name="Oven", version="3.0.0"))
    done(world, commands.CatalogueFound(versions={plugin["id"]: plugin["version"] for plugin in found}))
    done(world, commands.ClawhubInstall(skill_id="bell"))
    listed = json.loads(encode(views.plugins(world, found, queries.ClawhubList())))["skills"]
    assert [(plugin["id"], plugin["version"], plugin["installed"]) for plugin in listed] == [
        ("bell", "1.0.0", True), ("lamp", "1.0.0", False), ("oven", "3.0.0", False),
    ]  # fmt: skip
    assert found[0] == {"id": "lamp", "name": "Lamp", "version": "1.0.0"}


def test_the_directory_lists_every_holder_of_a_skill() -> None:
    """Skills are found by their id, with all who declared them; capabilities are not skills."""
    world = empty()
    skill = Skill("forge", "Forging")
    for agent in ("ada", "bob"):
        done(
            world, commands.Register(agent_id=agent, name=agent.title(), skills=(skill,), capabilities=MASTER)
        )
    directory = views.skills(world, queries.RoomSkills())["directory"]
    assert list(directory) == ["forge"]
    assert [entry["agentName"] for entry in directory["forge"]] == ["Ada", "Bob"]
