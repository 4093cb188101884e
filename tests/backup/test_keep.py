"""How long backups stay."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from realmd.backup.keep import DAY_MS, FLOOR, surplus
from realmd.backup.manifest import KINDS, Kept, file_name

AGES = {"full": 30 * DAY_MS, "database": 7 * DAY_MS}
NOW = 100 * DAY_MS


def kept(kind: str, taken: int, size: int = 10) -> Kept:
    return Kept(taken, kind, Path(file_name(kind, taken)), size)  # type: ignore[arg-type]


archives = st.lists(
    st.builds(kept, st.sampled_from(KINDS), st.integers(0, NOW), st.integers(1, 100)),
    unique=True,
    max_size=40,
)


def test_the_schedule_of_a_month() -> None:
    """Of hourly and daily backups over a hundred days, a week of hours and thirty days of days are left."""
    hours = [kept("database", NOW - n * 3_600_000) for n in range(2400)]
    days = [kept("full", NOW - n * DAY_MS) for n in range(100)]
    configurations = [kept("configuration", NOW - n * DAY_MS) for n in range(0, 100, 10)]
    gone = set(surplus([*hours, *days, *configurations], NOW, AGES, 10**9))  # type: ignore[arg-type]
    assert [one for one in hours if one not in gone] == hours[: 7 * 24 + 1]
    assert [one for one in days if one not in gone] == days[:31]
    assert not gone & set(configurations)


@given(archives, st.integers(0, 3000), st.integers(0, 10**13), st.data())
def test_a_good_one_is_always_left(found: list[Kept], most: int, now: int, data: st.DataObject) -> None:
    """Whatever the clock says and however little space there is, the newest and the verified stay."""
    good = data.draw(st.sampled_from([one.path.name for one in found])) if found else ""
    gone = surplus(found, now, AGES, most, {good})  # type: ignore[arg-type]
    left = [one for one in found if one not in gone]
    for kind in KINDS:
        of_kind = sorted(one for one in found if one.kind == kind)
        assert of_kind[-1:] == sorted(one for one in left if one.kind == kind)[-1:]
    assert good in {one.path.name for one in left} or not found
    assert sum(one.bytes for one in left) <= most or len(left) <= len(KINDS) + 1


@given(archives)
def test_a_clock_set_wrongly_takes_little(found: list[Kept]) -> None:
    """With a clock years ahead, age alone leaves some of each kind."""
    left = set(found) - set(surplus(found, NOW + 10_000 * DAY_MS, AGES, 10**9))  # type: ignore[arg-type]
    for kind in KINDS:
        of_kind = [one for one in found if one.kind == kind]
        assert len([one for one in left if one.kind == kind]) >= min(FLOOR, len(of_kind))
