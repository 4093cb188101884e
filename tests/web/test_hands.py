"""What people do with the window: click, follow, come back, ask for sound and for the whole screen."""

from __future__ import annotations

from typing import Any, Final

from playwright.sync_api import Page

from tests.process.daemon import Daemon, poll

from .cable import Cable
from .conftest import Open
from .test_everyone import violations
from .test_window import guest, see

#: Counts the sound machines that the page makes.
COUNT_SOUND: Final = """() => {
  globalThis.machines = [];
  const made = globalThis.AudioContext;
  globalThis.AudioContext = class extends made { constructor() { super(); machines.push(this); } };
}"""
#: The angles of all joints of the first guest drawn, in two frames some time apart.
POSES: Final = """() => new Promise((done) => {
  const pose = () => JSON.stringify(realm.deep.herd.troops.guest.body.joints);
  const first = pose();
  let frames = 0;
  const later = () => (frames++ < 40 ? requestAnimationFrame(later) : done([first, pose()]));
  requestAnimationFrame(later);
})"""
#: BIP-173 over the key of NIP-19's own example.
KEY: Final = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
NPUB: Final = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"


def join(page: Page, name: str) -> str:
    """Walk in by the door; the agent that the human is."""
    page.click("#join-open")
    page.fill("#join-name", name)
    page.press("#join-name", "Enter")
    page.locator("#inside").wait_for()
    see(page, "() => realm.avatar.agent?.motion.latest && realm.view.figures().has(realm.avatar.id)")
    return str(see(page, "() => realm.avatar.id"))


def on_screen(page: Page, x: float, z: float, y: float = 0) -> dict[str, float]:
    """Where that place of the world is in the picture."""
    at: dict[str, float] = page.evaluate("([x, y, z]) => realm.view.project(x, y, z)", [x, y, z])
    return at


def look_down(page: Page, x: float, z: float) -> None:
    """Look at a place steeply, at once, and let go of everybody."""
    page.evaluate(
        """([x, z]) => { const {camera} = realm.deep; realm.follow(null); camera.touched = true;
          Object.assign(camera.goal, {x, y: 0, z, yaw: 0, pitch: 1.2, far: 24});
          Object.assign(camera.now, camera.goal); }""",
        [x, z],
    )
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def test_a_click_on_the_ground_walks_there(daemon: Daemon, open_page: Open) -> None:
    """A human who clicks the ground goes there, in the cavern and on the map, as the daemon sees it too."""
    page = open_page("/", size=(640, 400))
    human = join(page, "Klick")
    for view, dx in (("cavern", 4), ("map", -4)):
        if view == "map":
            page.click("#to-map")
            page.evaluate("realm.view.near = 4; realm.view.centre = {...realm.avatar.agent.place}")
        here = daemon.ask("profile", agentId=human)["position"]
        goal = {"x": here["x"] + dx, "z": here["z"] + 3}
        if view == "cavern":
            look_down(page, here["x"], here["z"])
        at = on_screen(page, goal["x"], goal["z"])
        page.mouse.click(at["x"], at["y"])

        def there(goal: dict[str, float] = goal) -> bool:
            now = daemon.ask("profile", agentId=human)["position"]
            return abs(now["x"] - goal["x"]) < 0.7 and abs(now["z"] - goal["z"]) < 0.7

        poll(there, f"Klick arrives by the {view}")


def test_a_double_click_follows(daemon: Daemon, open_page: Open) -> None:
    """One click shows an agent's card; two follow it, and the camera goes where it goes."""
    runner = guest(daemon, "Rosa", 20, 24)
    page = open_page("/", size=(640, 400))
    see(page, "() => realm.deep.herd.figures.has('rosa')")
    look_down(page, 20, 24)
    at = on_screen(page, 20, 24, 0.8)
    page.mouse.click(at["x"], at["y"])
    page.locator("#card h2", has_text="Rosa").wait_for()
    assert page.evaluate("realm.deep.camera.follow") is None

    def followed() -> bool:
        page.evaluate("realm.controls.pressed.ms = -Infinity")
        page.mouse.dblclick(at["x"], at["y"])  # to a busy machine this may be two single clicks
        return bool(page.evaluate("realm.deep.camera.follow") == "rosa")

    poll(followed, "Rosa is followed")
    assert page.url.endswith("agent=rosa")
    assert daemon.ask("world-walk", agentId=runner, x=28, z=24)["ok"]
    see(page, "() => realm.deep.camera.target.x > 26")
    daemon.ask("world-leave", agentId=runner)


def test_a_human_comes_back_with_the_link(daemon: Daemon, open_page: Open) -> None:
    """A human whose link is cut is told; once it is back they walk in again in a new body, and are told."""
    cable = Cable(daemon.port)
    page = open_page(port=cable.port)
    before = join(page, "Nils")
    cable.cut()
    page.locator("#banner").wait_for()
    see(page, "() => realm.avatar.id === null")
    assert "as soon as the link is back" in page.inner_text("#toast")
    cable.mend()
    after = see(page, "() => realm.avatar.id")
    page.locator("#inside").wait_for()
    page.locator("#toast", has_text="new body").wait_for()
    assert after != before
    see(page, "([id]) => realm.state.agents.get(id)?.profile.name === 'Nils'", [after])
    poll(lambda: not daemon.ask("profile", agentId=before).get("position"), "the old body is gone")
    see(
        page,
        "([id]) => !realm.state.agents.has(id) && realm.view.camera.follow === realm.avatar.id",
        [before],
    )
    page.faults.clear()  # type: ignore[attr-defined]  # Chromium reports each attempt that failed
    cable.close()


def test_the_whole_screen_when_asked(open_page: Open) -> None:
    """The button gives the page the whole screen, and takes it back."""
    page = open_page()
    page.click("#to-full")
    see(page, "() => document.fullscreenElement === document.documentElement")
    page.locator("#to-full[aria-pressed=true]").wait_for()
    page.click("#to-full")
    see(page, "() => !document.fullscreenElement")
    page.locator("#to-full[aria-pressed=false]").wait_for()


def test_the_map_comes_when_the_cavern_cannot_go_on(daemon: Daemon, open_page: Open) -> None:
    """When the graphics card gives up, the map takes over, says why, and still shows who is chosen."""
    page = open_page("/", size=(640, 400))
    page.evaluate("realm.select('shalom')")
    page.evaluate("realm.deep.renderer.getContext().getExtension('WEBGL_lose_context').loseContext()")
    page.locator("#flat").wait_for()
    page.locator("#toast", has_text="here is the map").wait_for()
    assert page.is_hidden("#cavern")
    assert page.is_hidden("#to-map")
    assert page.evaluate("realm.view.selected") == "shalom"
    see(page, "() => realm.view.figures().has('daily')")


def test_no_sound_until_asked(open_page: Open) -> None:
    """No sound is even prepared until the button is pressed; pressed again, it falls silent."""
    page = open_page()
    page.evaluate(f"({COUNT_SOUND})()")
    page.click("#tab-people")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("machines.length") == 0
    page.click("#to-sound")
    see(
        page,
        "() => machines.length === 1 && machines[0].state === 'running' && realm.sound.out.gain.value > 0.3",
    )
    page.click("#to-sound")
    assert page.get_attribute("#to-sound", "aria-pressed") == "false"
    see(page, "() => realm.sound.out.gain.value < 0.01")


def test_those_who_want_less_movement_get_less(daemon: Daemon, open_page: Open) -> None:
    """With reduced motion nobody sways, the camera does not glide, nothing fades; without it they breathe."""
    still = guest(daemon, "Stella", 12, 30)
    page = open_page("/?agent=stella", size=(320, 240), reduced_motion="reduce")
    see(page, "() => realm.deep.herd.figures.has('stella') && realm.deep.camera.follow === 'stella'")
    first, later = page.evaluate(POSES)
    assert first == later
    page.evaluate("realm.deep.camera.orbit(1, 0)")
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 120)))")
    assert page.evaluate("realm.deep.camera.now.yaw === realm.deep.camera.goal.yaw")
    assert page.evaluate("getComputedStyle(document.getElementById('toast')).transitionDuration") == "0s"
    page.emulate_media(reduced_motion="no-preference")
    first, later = page.evaluate(POSES)
    assert first != later
    daemon.ask("world-leave", agentId=still)


def test_those_who_want_more_contrast_get_it(open_page: Open) -> None:
    """With more contrast panels are opaque black with white edges, and names stand on black."""
    page = open_page()
    tint = """(selector) => {
      const {backgroundColor, borderTopColor} = getComputedStyle(document.querySelector(selector));
      return [backgroundColor, borderTopColor]; }"""
    page.locator(".tag.agent .name").first.wait_for()
    assert page.evaluate(tint, "#side")[0] != "rgb(0, 0, 0)"
    page.emulate_media(contrast="more")
    assert page.evaluate(tint, "#side") == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert page.evaluate(tint, ".tag.agent .name")[0] == "rgb(0, 0, 0)"
    assert violations(page) == []


def test_nothing_stands_in_the_way_in_the_cavern(daemon: Daemon, open_page: Open) -> None:
    """axe-core finds no violation over the cavern: with a card, at the door, inside, in the help."""
    page = open_page("/", size=(1000, 640))
    found: dict[str, Any] = {}
    page.evaluate("realm.select('shalom', true)")
    page.locator("#card h2", has_text="Shalom").wait_for()
    found["card"] = violations(page)
    page.click("#join-open")
    found["door"] = violations(page)
    page.click("#join-cancel")
    join(page, "Axel")
    found["inside"] = violations(page)
    page.click("#to-help")
    page.locator("#help").wait_for()
    found["help"] = violations(page)
    page.keyboard.press("Escape")
    assert found == {"card": [], "door": [], "inside": [], "help": []}


def test_a_card_shows_the_key_as_people_write_it(daemon: Daemon, open_page: Open) -> None:
    """A key, however it was written, is shown as npub, short; whole in the tooltip and when copied."""
    page = open_page()
    for name, key, shown in (("Nora", KEY, NPUB), ("Olga", NPUB, NPUB)):
        agent = guest(daemon, name, 30, 30, pubkey=key)
        see(page, "(id) => realm.state.profiles.get(id)?.pubkey", agent)
        page.evaluate("(id) => realm.select(id, true)", agent)
        code = page.locator("#card .npub code")
        page.locator("#card h2", has_text=name).wait_for()
        assert code.get_attribute("title") == shown
        text = code.inner_text()
        assert len(text) < 24
        assert (text[:7], text[-6:]) == (shown[:7], shown[-6:])
        page.evaluate("navigator.clipboard.writeText = async (text) => { globalThis.copied = text; }")
        page.locator("#card .npub button").click()
        assert see(page, "() => globalThis.copied") == shown
        page.evaluate("globalThis.copied = ''")
        daemon.ask("world-leave", agentId=agent)


def test_the_first_look_is_at_the_dragon(daemon: Daemon, open_page: Open) -> None:
    """The first picture has the dragon's head in it, clear of the edges and the panels."""
    page = open_page("/", size=(1000, 640))
    see(page, "() => realm.deep.opened && realm.deep.camera.target.lengthSq()")
    assert page.evaluate("""() => {
      const {width, inset} = realm.deep;
      const one = realm.deep.herd.figures.get('shalom');
      const at = realm.deep.project(one.x, one.head, one.z);
      return Boolean(at && at.x > 40 && at.x < width - inset.right - 40 && at.y > 40);
    }""")


def test_the_first_look_has_a_building_behind_the_dragon(open_page: Open) -> None:
    """Of the sides from which the dragon can be looked at, one with a building behind her is chosen."""
    page = open_page("/?map", size=(1000, 640))
    ahead = page.evaluate("""async () => {
      const {opening} = await import(document.querySelector('link[href*="js/opening."]').href);
      const {buildings, bounds} = realm.state.atlas;
      const dragon = {id: 'shalom', agent: {kind: 'dragon', place: {rotation: 0}}, x: 0, z: 5, head: 5};
      const {yaw, far} = opening([dragon], buildings, bounds, 0.6);
      const eye = {x: dragon.x + Math.sin(yaw) * far, z: dragon.z + Math.cos(yaw) * far};
      return buildings.filter(({x, z}) => {
        const [dx, dz] = [x - eye.x, z - eye.z];
        const depth = -dx * Math.sin(yaw) - dz * Math.cos(yaw);
        const aside = dx * Math.cos(yaw) - dz * Math.sin(yaw);
        return depth > far && Math.abs(Math.atan2(aside, depth)) < 0.6;
      }).length;
    }""")
    assert ahead >= 1


def test_names_stay_whole(daemon: Daemon, open_page: Open) -> None:
    """No name is cut by the edge of the picture, and no bubble covers the name of a place."""
    page = open_page("/?map", size=(1000, 640))
    edge = "edge"
    assert daemon.ask("register", agentId=edge, name="Somebody with a rather long name")["ok"]
    assert daemon.ask("world-move", agentId=edge, x=-49, z=20)["ok"]
    page.evaluate("realm.view.near = 1.6; realm.view.centre = {x: -20, y: 0, z: 0}")
    see(page, "() => realm.state.agents.has('edge')")
    at = page.evaluate(
        "(() => { const b = realm.state.atlas.buildings[0]; return {x: b.x, z: b.z + b.radius + 3}; })()"
    )
    talker = guest(daemon, "Tilda", at["x"], at["z"])
    daemon.say(talker, "A long sentence that is broken into several lines, so that its bubble is tall. " * 2)
    page.locator(".bubble", has_text="A long sentence").wait_for()
    page.locator(".tag .name", has_text="rather long name").wait_for()
    page.evaluate("new Promise((drawn) => setTimeout(() => requestAnimationFrame(drawn), 200))")
    boxes = page.evaluate("""() => ['.tag.agent .name', '.tag.place .name', '.tag .bubble:not(:empty)'].map(
      (all) => [...document.querySelectorAll(all)].map((one) => one.getBoundingClientRect().toJSON()))""")
    names, places, bubbles = boxes
    assert names
    assert bubbles
    assert [box for box in names + bubbles if box["left"] < 0] == []
    assert [
        (place, bubble) for place in places for bubble in bubbles
        if place["left"] < bubble["right"] and bubble["left"] < place["right"]
        and place["top"] < bubble["bottom"] and bubble["top"] < place["bottom"]
    ] == []  # fmt: skip
    for agent in (edge, talker):
        daemon.ask("world-leave", agentId=agent)
