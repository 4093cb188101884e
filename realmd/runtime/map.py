"""The map that the configuration names, read and checked."""

from __future__ import annotations

from ..settings.reading import Config, world_file
from ..world.atlas import Atlas, AtlasError, parse
from ..world.minds import MINDS


def read_atlas(config: Config) -> Atlas:
    """The map that `config` names."""
    path = world_file(config)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AtlasError(str(path), [f"cannot be read: {error}"]) from None
    atlas = parse(text, str(path))
    unknown = [being for being in atlas.inhabitants.values() if being.mind not in MINDS]
    if unknown:
        known = ", ".join(MINDS)
        raise AtlasError(
            str(path), [f"inhabitant {b.id}: no mind is called {b.mind} (known: {known})" for b in unknown]
        )
    return atlas
