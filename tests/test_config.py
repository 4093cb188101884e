"""Configuration: where values come from, what is refused, and how it is shown."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.settings import SECTIONS, Server, envfile
from realmd.settings.reading import OWN_NAMES, Config, ConfigError, load, render, world_file
from realmd.settings.text import SETTINGS, template

SHIPPED = Path(__file__).parent.parent / "etc/realmd/realmd.toml"


def problems(*args: object, **kwargs: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)  # type: ignore[arg-type]
    return list(caught.value.problems)


def attempt(environ: dict[str, str]) -> tuple[Config | None, tuple[str, ...]]:
    """What loading gives: a configuration, or what is wrong with it."""
    try:
        return load(None, environ, {}), ()
    except ConfigError as error:
        return None, error.problems


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of this machine is found by accident."""
    monkeypatch.chdir(tmp_path)
    searched = (Path("etc/realmd/realmd.toml"), tmp_path / "system.toml")
    monkeypatch.setattr("realmd.settings.reading.SEARCHED", searched)


def test_the_shipped_file_names_every_setting_with_its_true_default(tmp_path: Path) -> None:
    """The realmd.toml one gets says all that can be set, truly; taking the # away changes nothing."""
    assert SHIPPED.read_text() == template(), "run: realmctl config --template > etc/realmd/realmd.toml"
    assert load(SHIPPED, {}, {}).origins == load(None, {}, {}).origins

    write(tmp_path / "world.toml", "")
    bare = re.sub(r"(?m)^#(?! |$)", "", SHIPPED.read_text())
    config = load(write(tmp_path / "realmd.toml", bare), {}, {})
    assert {origin.kind for origin in config.origins.values()} == {"file"}
    assert config.origins.keys() == SETTINGS.keys()
    for section in SECTIONS:
        assert getattr(config, section) == getattr(Config(), section)
    assert len(re.findall(r"(?m)^# Allowed: ", bare)) == len(SETTINGS)


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    """One start tells all there is to mend: the place, the key, the value, and what is allowed."""
    file = write(
        tmp_path / "realmd.toml",
        """\
[room]
max_agents = 0
naem = "x"
relays = ["wss://relay.example", "ftp://nowhere"]
port = 1

[sever]
port = 1

[server]
host = 7
port = true
cors_origins = "*"

[log]
level = '''loud
port = 1'''
format = "yaml"
""",
    )
    env_file = write(tmp_path / ".env", "WORLD_PORT=http\nnonsense\n")
    environ = {"AGENT_THINK_INTERVAL": "5", "REALMD_LOG_LEVL": "info", "REALMD_PRESENCE_DOZE_AFTER_S": "nan"}
    assert problems(file, environ, {"port": "99999"}, env_file=env_file) == [
        f"{env_file}:2: must be NAME=VALUE, with every quote closed",
        f"{file}:2: room.max_agents = 0: must be a whole number from 1 to 10000",
        f"{file}:3: room.naem: there is no such setting; did you mean room.name?",
        f'{file}:4: room.relays = ["wss://relay.example", "ftp://nowhere"]: '
        "must be a list of at most 32 ws:// or wss:// addresses",
        f"{file}:5: room.port: there is no such setting; did you mean server.port?",
        f"{file}:7: sever: there is no such section; did you mean server?",
        f"{file}:11: server.host = 7: must be an IP address or a host name "
        '("0.0.0.0" and "::" are every interface)',
        f"{file}:12: server.port = true: must be a whole number from 0 to 65535",
        f'{file}:13: server.cors_origins = "*": '
        'must be a list of at most 64 origins like "https://example.org", or "*" for any',
        f'{file}:16: log.level = "loud\\nport = 1": must be "debug", "info", "warn", "error" or "critical"',
        f'{file}:18: log.format = "yaml": must be "auto", "text", "json" or "journal"',
        f'env-file {env_file}:1 WORLD_PORT: server.port = "http": must be a whole number from 0 to 65535',
        "environment AGENT_THINK_INTERVAL: think.interval_ms = 5: "
        "must be a whole number of milliseconds from 100 to 60000",
        "environment REALMD_LOG_LEVL: there is no such setting; did you mean REALMD_LOG_LEVEL?",
        'environment REALMD_PRESENCE_DOZE_AFTER_S: presence.doze_after_s = "nan": '
        "must be a number of seconds from 0.1 to 86400",
        "option --port: server.port = 99999: must be a whole number from 0 to 65535",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[room\n", "is not TOML: "),
        (b'[room]\nid = "a"\nid = "b"\n', "is not TOML: "),
        (b"[room]\nname = \xff\n", "must be UTF-8 text, and byte 14 is not"),
        (b"room = 5\n", ":1: room = 5: must be a section, [room]"),
        (b"[[room]]\n", "must be a section, [room]"),
        (b"[world]\nfile = 'gone.toml'\n", "must be a file that is there"),
        (b"[think]\ninterval_ms = 100\nbudget_ms = 200\n", "must be at most think.interval_ms = 100 (file "),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A broken, missing or contradictory file is one clear line, not a traceback."""
    file = tmp_path / "realmd.toml"
    if content is not None:
        file.write_bytes(content)
    (line,) = problems(file, {}, {})
    assert line.startswith(str(file))
    assert said in line


def test_each_layer_overrides_the_one_below_and_is_named(tmp_path: Path) -> None:
    """Default, file, env file, environment, option: the last that speaks wins, and is shown as the origin."""
    file = write(tmp_path / "realmd.toml", "[server]\nport = 1\n")
    env_file = write(tmp_path / ".env", "\nWORLD_PORT=2\n")
    seen = []
    for path, env, environ, options in (
        (None, None, {}, {}),
        (file, None, {}, {}),
        (file, env_file, {}, {"port": None, "check": 1}),
        (file, env_file, {"WORLD_PORT": "3"}, {}),
        (file, env_file, {"WORLD_PORT": "3", "REALMD_SERVER_PORT": "4"}, {}),
        (file, env_file, {"WORLD_PORT": "3"}, {"port": "5"}),
    ):
        config = load(path, environ, options, env_file=env)  # type: ignore[arg-type]
        seen.append((config.server.port, str(config.origins["server.port"])))
    assert seen == [
        (18800, "default"),
        (1, f"file {file}:2"),
        (2, f"env-file {env_file}:2 WORLD_PORT"),
        (3, "environment WORLD_PORT"),
        (4, "environment REALMD_SERVER_PORT"),
        (5, "option --port"),
    ]


def test_an_env_file_of_the_old_system_is_taken_as_it_is(tmp_path: Path) -> None:
    """Whatever a .env may look like, it can be fed in unchanged; what is not ours is passed over."""
    env_file = write(
        tmp_path / ".env",
        "\ufeff# Shalom Realm v2\r\n\r\n"
        "export ROOM_ID=forge   # the old id\r\n"
        'ROOM_NAME="The \\"Forge\\" #1"\r\nROOM_DESCRIPTION=\'it costs $5 # really\'\r\n'
        "MAX_AGENTS=20\r\nWORLD_MAX_AGENTS=20\r\n  WORLD_HOST = 0.0.0.0\r\nWORLD_PORT=\r\n"
        "WORLD_RELAYS=wss://a.example, wss://b.example,\r\nAGENT_THINK_INTERVAL=2000\r\nLOG_LEVEL=WARNING\r\n"
        'NOSTR_KEY="-----BEGIN\nROOM_ID=not-this\n-----END"\r\nNODE_ENV=production\r\nLOG_FILE=`a"b`',
    )
    config = load(None, {"ROOM_ID": "spire", "LOG_LEVEL": "trace"}, {}, env_file=env_file)
    assert (config.room.id, config.room.name) == ("spire", 'The "Forge" #1')
    assert config.room.description == "it costs $5 # really"
    assert (config.room.max_agents, config.server.host, config.server.port) == (20, "0.0.0.0", 18800)
    assert config.room.relays == ("wss://a.example", "wss://b.example")
    assert (config.think.interval_ms, config.log.level) == (2000, "debug")
    assert render(config).endswith("# ignored: LOG_FILE, NODE_ENV, NOSTR_KEY\n")
    assert "ignored" not in render(load(None, {"LOG_LEVEL": "info"}, {}, env_file=env_file))


def test_two_old_names_of_one_value_must_agree() -> None:
    """MAX_AGENTS and WORLD_MAX_AGENTS that differ are a question, not a guess."""
    assert load(None, {"MAX_AGENTS": "7", "WORLD_MAX_AGENTS": " 7 "}, {}).room.max_agents == 7
    assert problems(None, {"MAX_AGENTS": "7", "WORLD_MAX_AGENTS": "8"}, {}) == [
        "environment MAX_AGENTS, environment WORLD_MAX_AGENTS: room.max_agents = 7 and 8: must agree"
    ]


@pytest.mark.parametrize(
    ("text", "level"), [("trace", "debug"), ("Warning", "warn"), ("FATAL", "critical"), (" Error ", "error")]
)
def test_log_levels_by_other_names(text: str, level: str) -> None:
    """The names that Node's loggers give levels are understood."""
    assert load(None, {"LOG_LEVEL": text}, {}).log.level == level


def test_names_that_a_cluster_sets_are_not_taken_for_mistakes() -> None:
    """Service links of a cluster begin with our name too, and must not stop the realm."""
    environ = {"REALMD_PORT": "tcp://10.0.0.1:18800", "REALMD_SERVICE_HOST": "10.0.0.1"}
    assert load(None, environ, {}).ignored == ("REALMD_PORT", "REALMD_SERVICE_HOST")


def test_the_file_is_found_where_one_expects_it(tmp_path: Path) -> None:
    """The one named, $REALMD_CONFIG, ./etc/realmd, the system's; and without any, the defaults."""
    assert load(None, {}, {}).file is None
    write(tmp_path / "system.toml", "")
    assert load(None, {}, {}).file == tmp_path / "system.toml"
    (tmp_path / "etc/realmd").mkdir(parents=True)
    write(tmp_path / "etc/realmd/realmd.toml", "")
    assert load(None, {}, {}).file == Path("etc/realmd/realmd.toml")
    named = write(tmp_path / "named.toml", "")
    env_file = write(tmp_path / ".env", f"REALMD_CONFIG={named}")
    assert load(None, {}, {}, env_file=env_file).file == named
    assert load(named, {"REALMD_CONFIG": "gone.toml"}, {}).file == named
    assert problems(None, {"REALMD_CONFIG": "gone.toml"}, {}) == [
        "gone.toml: cannot be read: No such file or directory"
    ]


def test_the_map_is_found_beside_its_configuration_or_where_it_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A realm starts with the packaged map; one's own is relative to the file that names it."""
    home = tmp_path / "conf"
    home.mkdir()
    file = write(home / "realmd.toml", "")
    assert world_file(load(None, {}, {})).name == "world.toml"
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    (tmp_path / "venv/share/realmd").mkdir(parents=True)
    installed = write(tmp_path / "venv/share/realmd/world.toml", "")
    assert world_file(load(file, {}, {})) == installed
    beside = write(home / "world.toml", "")
    assert world_file(load(file, {}, {})) == beside
    own = write(home / "own.toml", "")
    assert world_file(load(write(file, '[world]\nfile = "own.toml"\n'), {}, {})) == own
    assert world_file(load(file, {"REALMD_WORLD_FILE": "conf/world.toml"}, {})) == Path("conf/world.toml")


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    """A password in an address is masked where values are printed, right or wrong."""
    file = write(tmp_path / "realmd.toml", '[board]\nupstream = "https://me:hush@feed.example/x"\n')
    text = render(load(file, {"WORLD_RELAYS": "wss://u:hush@relay.example"}, {}))
    assert "hush" not in text
    assert tomllib.loads(text)["board"] == {"upstream": "https://***@feed.example/x"}
    (line,) = problems(file, {"REALMD_SERVER_PUBLIC_URL": "ftp://me:hush@realm.example"}, {})
    assert "hush" not in line


@pytest.mark.parametrize(
    ("server", "bound", "url"),
    [
        (Server(), None, "http://127.0.0.1:18800"),
        (Server(host="0.0.0.0", port=0), 4711, "http://127.0.0.1:4711"),
        (Server(host="::"), None, "http://[::1]:18800"),
        (Server(public_url="https://realm.example/"), 4711, "https://realm.example"),
    ],
)
def test_the_address_clients_are_told(server: Server, bound: int | None, url: str) -> None:
    """Clients get an address they can use, also when none was configured."""
    assert server.url(bound) == url


@given(name=st.text(max_size=120), description=st.text(max_size=520))
def test_what_is_shown_is_toml_that_says_the_same(name: str, description: str) -> None:
    """The printed configuration can be read back: any text, one line a value, each with its origin."""
    config, wrong = attempt({"REALMD_ROOM_NAME": name, "REALMD_ROOM_DESCRIPTION": description})
    assert all("\n" not in line for line in wrong)
    if config is None:
        return
    text = render(config)
    again = tomllib.loads(text)
    assert again["room"]["name"] == name
    for section, cls in SECTIONS.items():
        if section != "room":
            assert msgspec.convert(again[section], cls) == getattr(config, section)
    values = [line for line in text.split("\n") if line and line[0] not in "#["]
    assert len(values) == len(SETTINGS)
    assert all(re.search(r"  # (default|environment REALMD_ROOM_\w+)$", line) for line in values)


@given(
    st.dictionaries(
        st.sampled_from(sorted(OWN_NAMES)),
        st.text() | st.integers().map(str) | st.floats().map(str),
        max_size=5,
    )
)
def test_no_environment_breaks_the_loader(environ: dict[str, str]) -> None:
    """Whatever a variable holds, it is taken or refused by name; a value taken is within its range."""
    config, wrong = attempt(environ)
    assert all(any(name in line for name in environ) for line in wrong)
    if config is not None:
        for path, setting in SETTINGS.items():
            value = getattr(getattr(config, setting.section), setting.key)
            msgspec.convert(list(value) if isinstance(value, tuple) else value, setting.type)
            assert path in config.origins


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), st.text(), max_size=5))
def test_a_double_quoted_env_value_comes_back_whole(values: dict[str, str]) -> None:
    """Any text can be written in an env file."""
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})
    text = "".join(f'{name}="{value.translate(escapes)}" # note\n' for name, value in values.items())
    entries, malformed = envfile.parse(text)
    assert malformed == []
    assert {name: entry.value for name, entry in entries.items()} == values
    assert [entry.line for entry in entries.values()] == list(range(1, len(values) + 1))


@given(st.text(alphabet=st.sampled_from("A='\"`\\ #\n\r\texport$")))
def test_every_line_of_an_env_file_is_an_entry_or_reported(text: str) -> None:
    """No text stops the reader, and what it reports is a line that is there."""
    _, malformed = envfile.parse(text)
    assert all(1 <= line <= text.count("\n") + 1 for line in malformed)
    assert malformed == sorted(set(malformed))
