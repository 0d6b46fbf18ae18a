"""One suite for every store of the processor: memory and SQLite."""

from __future__ import annotations

import pytest

from millstream.eventlog.resolved import Annotation, Resolution, Status, TraitValue
from millstream.pipeline.store import ProcessorCommit
from millstream.profiles.profile import ExternalId, Profile
from millstream.storage.memory.processor import MemoryProcessorStore
from millstream.storage.sqlite.state import SqliteState

EMAIL, USER, DEVICE = (
    ExternalId("email", "a@b.co"),
    ExternalId("user_id", "u"),
    ExternalId("anonymous_id", "d"),
)


@pytest.fixture(params=["memory", "sqlite", "sqlite without its cache"])
def store(request, tmp_path):
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryProcessorStore()
        return
    state = SqliteState(tmp_path / "state.db")
    if "without" in request.param:
        state.processor._recent = _Forgetful()
    yield state.processor
    state.close()


class _Forgetful(dict):
    """A cache that keeps nothing, so that every read is one of the database."""

    def __setitem__(self, key, value):
        pass

    def move_to_end(self, key):
        pass


def person(name, *ids, **traits):
    """A profile with these ids and traits."""
    return Profile(
        name,
        "person",
        5,
        {e: n for n, e in enumerate(ids)},
        {k: TraitValue(v, 10, 3) for k, v in traits.items()},
        {"gone": (7, 2)},
        {"acc_1": 9},
        11,
    )


async def test_what_was_committed_is_read(store):
    """Position, identities, whole profiles; unknown names are left out."""
    assert store.position() == 0
    given = person("p", EMAIL, USER, plan="pro", address={"city": "Ulm"}, n=1.5)
    await store.commit(ProcessorCommit(4, profiles=[given], identities={EMAIL: "p", USER: "p"}))
    assert store.position() == 4
    assert store.find([EMAIL, USER, DEVICE]) == {EMAIL: "p", USER: "p"}
    assert store.load(["p", "q"]) == {"p": given}
    view = store.views(["p"])["p"]
    assert (view.email, view.accounts) == ("a@b.co", ["acc_1"])
    assert view.traits["plan"] == TraitValue("pro", 10, 3)
    assert view.external_ids == {"user_id": ["u"], "email": ["a@b.co"]}


async def test_what_is_loaded_may_be_changed(store):
    """A reader that changes its copy changes nothing that is stored."""
    await store.commit(ProcessorCommit(1, profiles=[person("p", EMAIL, plan="pro")]))
    mine = store.load(["p"])["p"]
    mine.traits["plan"] = TraitValue("free", 99, 99)
    mine.external_ids[USER] = 1
    mine.removed.clear()
    assert store.load(["p"])["p"] == person("p", EMAIL, plan="pro")


async def test_absorbed_profiles_read_their_survivor(store):
    """Also over two merges; identities that still name the absorbed one follow."""
    everybody = [person(n, ExternalId("user_id", n)) for n in ("a", "b", "c")]
    owners = {ExternalId("user_id", n): n for n in ("a", "b", "c")}
    await store.commit(ProcessorCommit(1, profiles=everybody, identities=owners))
    await store.commit(ProcessorCommit(2, merged={"b": "a"}))
    await store.commit(ProcessorCommit(3, merged={"a": "c"}))
    assert store.find([ExternalId("user_id", "b")]) == {ExternalId("user_id", "b"): "c"}
    assert {i: p.id for i, p in store.load(["a", "b", "c"]).items()} == {"a": "c", "b": "c", "c": "c"}


async def test_annotations_by_range(store):
    """Those that overlap, by base; gone when their log file is."""
    made = [
        Annotation(0, [Resolution(Status.NEW, "p", None, "a@b.co", ("x",), True, "why", {"n": 1})] * 3),
        Annotation(3, [Resolution(Status.DUPLICATE)]),
        Annotation(4, [Resolution(Status.REJECTED)] * 2),
    ]
    await store.commit(ProcessorCommit(6, annotations=made))
    assert store.annotations(0, 6) == made
    assert [a.base for a in store.annotations(2, 4)] == [0, 3]
    assert [a.base for a in store.annotations(4, 5)] == [4]
    store.drop_annotations_before(4)
    await store.commit(ProcessorCommit(7))
    assert [a.base for a in store.annotations(0, 6)] == [4]


async def test_a_forgotten_person_is_nowhere(store):
    """Neither under its name nor its ids nor those of whom it absorbed."""
    await store.commit(
        ProcessorCommit(
            1, profiles=[person("a", EMAIL), person("b", USER)], identities={EMAIL: "a", USER: "b"}
        )
    )
    await store.commit(ProcessorCommit(2, merged={"b": "a"}, identities={USER: "a"}))
    await store.forget("a")
    assert store.find([EMAIL, USER]) == {}
    assert store.load(["a", "b"]) == {}
