"""What people see in the window: true, alive, and complete after a lost link."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from playwright.sync_api import Browser, Page

from tests.process.daemon import Daemon, poll

from .cable import Cable
from .conftest import Open, keep

#: Where the bodies really are in the picture: the place in the matrix of each drawn torso.
TORSOS = """() => Object.fromEntries(Object.entries(realm.deep.herd.troops).map(([kind, troop]) => {
  const mesh = troop.meshes.get(troop.rig.joints[0].form);
  const {array} = mesh.instanceMatrix;
  return [kind, Array.from({length: mesh.count}, (_, i) => [array[i * 16 + 12], array[i * 16 + 14]])];
}))"""
#: Note what is shown of one agent in each frame: x, speed, angle of a leg, ms.
TAKE_STEPS = """(id) => {
  globalThis.steps = [];
  const show = realm.deep.herd.update;
  realm.deep.herd.update = function (...given) {
    show.apply(this, given);
    const {x, speed} = realm.state.agents.get(id)?.place ?? {x: 0, speed: 0};
    steps.push([x, speed, this.troops.guest.body.joints.legL[0], performance.now()]);
  };
}"""
#: What a frame costs.
COSTS = """() => {
  const {render} = realm.deep.renderer.info;
  let objects = 0;
  realm.deep.world.scene.traverse(() => objects++);
  const began = performance.now();
  for (let i = 0; i < 10; i++) realm.deep.herd.update(i, 0.016, false);
  const update = (performance.now() - began) / 10;
  const labels = document.querySelectorAll('.tag').length;
  return render.calls && {calls: render.calls, objects, labels, update};
}"""

#: Whether so many bubbles hang there, and none of them covers another one or its speaker's name.
READABLE = """(many) => {
  const said = [...document.querySelectorAll('.tag')].filter((tag) => tag.children[0].offsetHeight);
  const boxes = said.map((tag) => [0, 2].map((part) => tag.children[part].getBoundingClientRect()));
  const apart = (a, b) =>
    a.left >= b.right || b.left >= a.right || a.top >= b.bottom || b.top >= a.bottom;
  return boxes.length === many && boxes.every((one, i) => boxes.slice(i + 1).every((other) =>
    one.every((a) => other.every((b) => apart(a, b)))));
}"""


def guest(daemon: Daemon, name: str, x: float, z: float, **more: Any) -> str:
    """An agent of that name, standing there."""
    agent = name.lower()
    assert daemon.ask("register", agentId=agent, name=name, **more)["ok"]
    assert daemon.ask("world-move", agentId=agent, x=x, z=z)["ok"]
    return agent


def at_once(daemon: Daemon, commands: list[tuple[str, dict[str, Any]]]) -> None:
    """Many commands in few ticks; all must succeed."""
    with daemon.websocket() as socket:
        for mark, (command, args) in enumerate(commands):
            socket.send(type=command, id=mark, **args)
        refused = [ack for _ in commands if not (ack := socket.any_ack())["ok"]]
    assert refused == []


def spot(n: int) -> dict[str, float]:
    """A place of its own for each of 300."""
    return {"x": -46 + (n % 24) * 4, "z": 2 + (n // 24) * 3.6}


def lines(page: Page) -> list[str]:
    return page.locator("#log .said").all_text_contents()


def see(page: Page, script: str, argument: Any = None) -> Any:
    """Wait until the script says something true in the page."""
    return page.wait_for_function(script, arg=argument).json_value()


def test_the_cavern_appears_with_everybody_where_they_are(daemon: Daemon, open_page: Open) -> None:
    """The address shows the cavern, without errors or outside requests, and all stand where the API says."""
    guest(daemon, "Vera", -12.5, 18.25, color="#e84393")
    page = open_page("/", size=(1280, 760))
    assert see(page, "() => document.body.dataset.ready") == "cavern"
    see(page, "() => realm.state.snapshots > 0 && realm.deep.herd.figures.has('vera')")
    print("first picture (ms):", page.evaluate("performance.getEntriesByName('first-picture')[0].startTime"))
    drawn = page.evaluate(TORSOS)
    assert [round(v, 2) for v in drawn["guest"][0]] == [-12.5, 18.25]
    assert (len(drawn["dragon"]), len(drawn["kobold"])) == (1, 3)
    for agent in ("shalom", "daily", "trade", "deploy"):
        place = daemon.ask("profile", agentId=agent)["position"]
        kind = "dragon" if agent == "shalom" else "kobold"
        near = [
            at for at in page.evaluate(TORSOS)[kind] if abs(at[0] - place["x"]) + abs(at[1] - place["z"]) < 9
        ]
        assert near, f"{agent} is not drawn near {place}"
    with daemon.http() as http:
        atlas = http.get("/api/world")[1]["world"]
    assert page.evaluate(
        "realm.deep.world.buildings.group.children.map((one) => one.name).filter(Boolean)"
    ) == [building["id"] for building in atlas["buildings"]]
    keep(page, "cavern")
    page.evaluate("realm.select('shalom'); realm.follow('shalom')")
    see(page, "() => realm.deep.camera.now.far < 20")
    keep(page, "follow")
    daemon.ask("world-leave", agentId="vera")


def test_walking_is_smooth_and_moves_the_legs(daemon: Daemon, open_page: Open) -> None:
    """A walk is seen as small steps, with legs that move; an action and a feeling are seen too."""
    walker = guest(daemon, "Wanda", -30, 30)
    page = open_page("/?agent=wanda", size=(480, 320))
    see(page, "() => realm.deep.herd.figures.has('wanda')")
    page.evaluate(TAKE_STEPS, "wanda")
    assert daemon.ask("world-walk", agentId=walker, x=-18, z=30)["ok"]
    see(page, "() => realm.state.agents.get('wanda').place.x > -18.1")
    poll(lambda: daemon.ask("profile", agentId=walker)["action"] == "idle", "Wanda arrives")
    steps = page.evaluate("steps")
    moving = [(b[0] - a[0], (b[3] - a[3]) / 1000) for a, b in pairwise(steps) if b[1] > 0.5]
    assert moving
    assert all(-0.05 <= step <= 3.0 * (seconds + 0.35) + 0.2 for step, seconds in moving), "it jumped"
    assert max(step[2] for step in steps) - min(step[2] for step in steps) > 0.3, "its legs stood still"
    daemon.ask("world-action", agentId=walker, action="dance")
    see(page, "() => realm.deep.herd.figures.get('wanda').action === 'dance'")
    daemon.ask("world-emote", agentId=walker, emote="surprised")
    page.locator(".feeling", has_text="surprised").wait_for()
    daemon.ask("world-leave", agentId=walker)
    see(page, "() => !realm.state.agents.has('wanda')")


def test_a_chat_becomes_a_bubble_and_a_line(daemon: Daemon, open_page: Open) -> None:
    """What an agent says by curl hangs over its head and stands in the log, as text and never as markup."""
    speaker = guest(daemon, "Selma", 4, 30)
    page = open_page()
    see(page, "() => realm.state.agents.has('selma')")
    daemon.say(speaker, "Hello <b>everyone</b>")
    page.locator(".bubble", has_text="Hello <b>everyone</b>").wait_for()
    page.locator("#log .chat", has_text="Selma Hello <b>everyone</b>").wait_for()
    page.click("#filters [data-sort=doors]")
    assert page.locator("#log .chat:visible").count() == 0
    page.click("#filters [data-sort=all]")
    page.fill("#find", "hello <b>")
    assert page.locator("#log .line:visible").count() == 1
    page.click("#log .line:visible .who")
    page.locator("#card h2", has_text="Selma").wait_for()
    assert "Hello <b>everyone</b>" in page.locator("#card .words").inner_text()
    daemon.ask("world-leave", agentId=speaker)


def test_who_speak_side_by_side_can_all_be_read(daemon: Daemon, open_page: Open) -> None:
    """Bubbles of those who stand close hang above one another, each with its speaker's name."""
    group = [guest(daemon, name, 40 + 0.5 * n, 40) for n, name in enumerate(("Ursel", "Ute", "Uwe", "Ulf"))]
    page = open_page("/?agent=ursel", size=(1280, 760))
    see(page, "() => realm.deep.camera.now.far < 20")
    for n, agent in enumerate(group):
        daemon.say(agent, "What I say takes some lines to be read by all of you. " * (n + 1))
    see(page, READABLE, len(group))
    keep(page, "talk")
    for agent in group:
        daemon.ask("world-leave", agentId=agent)


def test_a_human_takes_part_and_is_seen(daemon: Daemon, open_page: Open, browser: Browser) -> None:
    """A human joins, walks by keys, speaks and feels; others see all of it, and see it leave with its tab."""
    own, other = open_page(), open_page()
    own.click("#join-open")
    own.fill("#join-name", "Hanna")
    own.fill("#join-color", "#ff00aa")
    own.press("#join-name", "Enter")
    own.locator("#inside").wait_for()
    human = see(own, "() => realm.avatar.id")
    see(other, "(id) => realm.state.agents.get(id)?.profile.name === 'Hanna'", human)
    see(own, "() => realm.avatar.agent?.motion.latest")
    before = daemon.ask("profile", agentId=human)["position"]
    own.focus("#view")
    own.keyboard.down("w")
    see(own, "(z) => realm.avatar.agent.place.z < z - 2", before["z"])
    own.keyboard.up("w")
    here = see(own, "() => !realm.avatar.agent.driven && realm.avatar.agent.place")
    seen = see(other, """([id, z]) => { const {place, action} = realm.state.agents.get(id);
      return Math.abs(place.z - z) < 0.2 && action === 'idle' && place; }""", [human, here["z"]])  # fmt: skip
    assert abs(seen["x"] - here["x"]) < 0.2
    own.keyboard.press("Enter")
    own.keyboard.type("Good evening")
    own.keyboard.press("Enter")
    other.locator("#log .chat", has_text="Good evening").wait_for()
    own.locator("#deeds button", has_text="Ha!").click()
    other.locator("#log .emote", has_text="laughing").filter(has_text="Hanna").wait_for()
    assert daemon.ask("profile", agentId=human)["profile"]["color"] == "#ff00aa"
    own.close()
    see(other, "(id) => !realm.state.agents.has(id)", human)
    other.locator("#log .leave", has_text="Hanna").wait_for()


def test_a_lost_link_is_told_and_nothing_is_missed(daemon: Daemon, open_page: Open) -> None:
    """The page tells that its link is cut; back again, all said meanwhile is there, once and in order."""
    speaker = guest(daemon, "Linus", -4, 34)
    cable = Cable(daemon.port)
    page = open_page(port=cable.port)
    see(page, "() => realm.net.state === 'open'")
    daemon.say(speaker, "before the cut")
    page.locator("#log .chat", has_text="before the cut").wait_for()
    cable.cut()
    page.locator("#banner", has_text="lost").wait_for()
    said = [f"while you were away {n}" for n in range(210)]
    at_once(daemon, [("world-chat", {"agentId": speaker, "text": sentence}) for sentence in said])
    gone = guest(daemon, "Gus", 0, 34)
    cable.mend()
    see(page, "() => realm.net.state === 'open'")
    daemon.say(speaker, "after the cut")
    page.locator("#log .chat", has_text="after the cut").wait_for()
    assert not page.is_visible("#banner")
    mine = [line for line in lines(page) if "cut" in line or "away" in line]
    assert mine == ["before the cut", *said, "after the cut"]
    see(page, "(id) => realm.state.agents.has(id)", gone)
    page.close()
    page.faults.clear()  # type: ignore[attr-defined]  # Chromium reports each attempt that failed
    cable.close()
    for agent in (speaker, gone):
        daemon.ask("world-leave", agentId=agent)


def test_an_address_follows_an_agent_and_can_be_shared(daemon: Daemon, open_page: Open) -> None:
    """/?agent=daily follows Daily, as previewUrl promises; letting go and following change the address."""
    page = open_page("/?map&agent=daily")
    see(page, "() => realm.view.camera.follow === 'daily'")
    page.focus("#view")
    page.keyboard.press("Escape")
    assert "agent=" not in page.url
    page.click("#tab-people")
    page.locator("#people .row", has_text="Shalom").click()
    page.locator("#card button", has_text="Follow").click()
    assert page.url.endswith("agent=shalom")
    see(page, "() => realm.view.camera.follow === 'shalom'")


def test_three_hundred_stay_fluid(daemon: Daemon, open_page: Open) -> None:
    """A crowd of 300 costs as many draw calls as one, no more objects, and few names on the screen."""
    crowd = [f"crowd-{n}" for n in range(300)]
    looks = ("kobold", "dragon", "guest", "kobold", "kobold", "guest")
    at_once(daemon, [("register", {"agentId": a, "avatar": looks[n % 6]}) for n, a in enumerate(crowd)])
    at_once(daemon, [("world-move", {"agentId": a, **spot(n)}) for n, a in enumerate(crowd)])
    page = open_page("/", size=(640, 400))
    see(page, "() => realm.deep.herd.figures.size >= 304")
    drawn = see(page, COSTS)
    print(drawn)
    assert drawn["calls"] <= 70
    assert drawn["objects"] <= 90
    assert drawn["labels"] <= 40
    page.evaluate("realm.key('Home')")
    keep(page, "crowd")
    at_once(daemon, [("world-leave", {"agentId": one}) for one in crowd])


def test_without_webgl_there_is_a_map(daemon: Daemon, open_page: Open, plain_browser: Browser) -> None:
    """Where nothing can be drawn in three dimensions, a map with the same panels shows the same people."""
    painter = guest(daemon, "Mara", 20, 30, color="#00ff88")
    page = open_page("/", by=plain_browser)
    assert see(page, "() => document.body.dataset.ready") == "map"
    page.locator("#no-webgl").wait_for()
    see(page, "() => realm.view.figures().has('mara')")
    spot = page.evaluate(
        "() => { const {x, z} = realm.state.agents.get('mara').place; return realm.view.project(x, 0, z); }"
    )
    page.mouse.click(spot["x"], spot["y"])
    page.locator("#card h2", has_text="Mara").wait_for()
    for tab in ("people", "stations", "places", "talk"):
        page.click(f"#tab-{tab}")
        page.locator(f"#panel-{tab}").wait_for()
    daemon.say(painter, "flat but happy")
    page.locator(".bubble", has_text="flat but happy").wait_for()
    daemon.ask("world-leave", agentId=painter)


def test_stations_show_who_works(daemon: Daemon, open_page: Open) -> None:
    """A station's board tells who holds it and who works, and the picture lights up."""
    smith = guest(daemon, "Sven", 9, -22, capabilities=["security"])
    assert daemon.ask("go-to-workstation", agentId=smith, workstationId="crypto-analyzer")["ok"]
    held = lambda: daemon.ask("workstation", workstationId="crypto-analyzer")["workstation"]["occupiedBy"]  # noqa: E731
    poll(lambda: held() == smith, "Sven takes the station")
    page = open_page()
    page.click("#tab-stations")
    row = page.locator("#stations .row", has_text="Crypto Analyzer")
    row.filter(has_text="held by Sven").wait_for()
    assert daemon.ask("work-start", agentId=smith)["ok"]
    row.filter(has_text="Sven works here").wait_for()
    daemon.ask("world-leave", agentId=smith)
    row.filter(has_text="free").wait_for()
