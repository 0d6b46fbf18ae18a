"""One suite for every store of the processor: memory and SQLite."""

from __future__ import annotations

import msgspec
import pytest
import zstandard

from millstream.eventlog.rejection import KEPT, Rejection
from millstream.eventlog.resolved import Annotation, Resolution, Status, TraitValue
from millstream.pipeline.store import ProcessorCommit
from millstream.profiles.profile import ExternalId, Profile
from millstream.profiles.stored import pack
from millstream.profiles.traits import Traits
from millstream.storage.memory.processor import MemoryProcessorStore
from millstream.storage.sqlite.recent import Recent
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
        state.processor._bodies = state.processor._links = _Forgetful(0)
    yield state.processor
    state.close()


class _Forgetful(Recent):
    """A cache that keeps nothing, so that every read is one of the database."""

    def add(self, entries, weight):
        pass


def person(name, *ids, **traits):
    """A profile with these ids and traits."""
    found = Profile(name, "person", 5, 11, accounts={"acc_1": 9})
    for n, external in enumerate(ids):
        found.see((external,), n)
    found.open(Traits(traits, (10, 3), removed={"gone": (7, 2)}))
    return found


def shown(profiles):
    """Profiles by name, as they would be stored."""
    return {name: pack(p) for name, p in profiles.items()}


async def test_what_was_committed_is_read(store):
    """Position, identities, whole profiles; unknown names are left out."""
    assert store.position() == 0
    given = person("p", EMAIL, USER, plan="pro", address={"city": "Ulm"}, n=1.5)
    await store.commit(ProcessorCommit(4, profiles=[given], identities={EMAIL: "p", USER: "p"}))
    assert store.position() == 4
    assert store.find([EMAIL, USER, DEVICE]) == {EMAIL: "p", USER: "p"}
    assert shown(store.load(["p", "q"])) == {"p": pack(given)}
    view = store.views(["p"])["p"]
    assert (view.email, view.accounts) == ("a@b.co", ["acc_1"])
    assert view.traits["plan"] == TraitValue("pro", 10, 3)
    assert view.external_ids == {"user_id": ["u"], "email": ["a@b.co"]}


async def test_what_is_loaded_may_be_changed(store):
    """A reader that changes its copy changes nothing that is stored."""
    await store.commit(ProcessorCommit(1, profiles=[person("p", EMAIL, plan="pro")]))
    mine = store.load(["p"])["p"]
    mine.traits.put("plan", "free", (99, 99))
    mine.see((USER,), 1)
    mine.traits.removed.clear()
    mine.accounts.clear()
    assert shown(store.load(["p"])) == shown({"p": person("p", EMAIL, plan="pro")})


async def test_absorbed_profiles_read_their_survivor(store):
    """Also over two merges; their ids follow."""
    everybody = [person(n, ExternalId("user_id", n)) for n in ("a", "b", "c")]
    owners = {ExternalId("user_id", n): n for n in ("a", "b", "c")}
    await store.commit(ProcessorCommit(1, profiles=everybody, identities=owners, owners=owners))
    for position, gone, survivor in ((2, "b", "a"), (3, "a", "c")):
        moved = {e: survivor for e, p in owners.items() if p == gone}
        owners |= moved
        await store.commit(ProcessorCommit(position, identities=moved, owners=moved, merged={gone: survivor}))
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


def rejection(offset, received_ms=0):
    """One that can be told apart."""
    return Rejection(offset, received_ms, "web", "unknown_type", f"no {offset}", '{"type": "é"}')


async def test_rejections_are_listed_in_log_order(store):
    """Whole, from an offset on."""
    given = [rejection(n) for n in (3, 4, 9)]
    await store.commit(ProcessorCommit(5, rejections=given[:2]))
    await store.commit(ProcessorCommit(10, rejections=given[2:]))
    assert store.rejections(0) == given
    assert store.rejections(4) == given[1:]
    assert store.rejections(10) == []


async def test_of_too_many_rejections_the_oldest_leave(store):
    """Within the commit that is one too many, so that no flood of nonsense fills the disk."""
    await store.commit(ProcessorCommit(KEPT, rejections=[rejection(n) for n in range(KEPT)]))
    assert len(store.rejections(0)) == KEPT
    await store.commit(ProcessorCommit(KEPT + 3, rejections=[rejection(KEPT + n) for n in range(3)]))
    found = store.rejections(0)
    assert (len(found), found[0].offset, found[-1].offset) == (KEPT, 3, KEPT + 2)


async def test_old_rejections_leave(store):
    """By receipt; the bound by number holds afterwards, also when nothing was left."""
    await store.commit(ProcessorCommit(3, rejections=[rejection(n, received_ms=n) for n in range(3)]))
    store.drop_rejections_before(2)
    await store.commit(ProcessorCommit(4))
    assert [r.offset for r in store.rejections(0)] == [2]
    store.drop_rejections_before(3)
    await store.commit(ProcessorCommit(KEPT + 5, rejections=[rejection(4 + n) for n in range(KEPT + 1)]))
    found = store.rejections(0)
    assert (len(found), found[0].offset) == (KEPT, 5)


async def test_ids_of_an_absorbed_profile_that_were_not_moved_follow(tmp_path):
    """Also when the file is read by somebody who has not seen the merge."""
    state = SqliteState(tmp_path / "state.db")
    owners = {USER: "a", EMAIL: "b"}
    await state.processor.commit(
        ProcessorCommit(1, profiles=[person("a"), person("b")], identities=owners, merged={"b": "a"})
    )
    assert state.processor.find([USER, EMAIL]) == {USER: "a", EMAIL: "a"}
    assert state.processor.load(["b"])["b"].id == "a"
    state.close()


async def test_annotations_of_the_first_version_are_read(tmp_path):
    """They were msgpack; the file is not rewritten."""
    made = [
        Resolution(Status.NEW, "p", None, "a@b.co", ("x",), True, "why", {"n": 1}),
        Resolution(Status.DUPLICATE),
    ]
    body = zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(made))
    state = SqliteState(tmp_path / "state.db")
    await state.processor._writer.run(
        lambda c: c.execute("INSERT INTO annotation VALUES (0, 2, ?)", (body,)) and None
    )
    assert state.processor.annotations(0, 2) == [Annotation(0, made)]
    state.close()


async def test_values_that_fit_no_machine_integer_are_kept(store):
    """JSON's integers have no bounds: one of them must not stop everybody's processing."""
    made = [Annotation(0, [Resolution(Status.NEW, "p", results={"n": 2**70})])]
    await store.commit(ProcessorCommit(1, made, [person("p", n=2**70)]))
    assert store.annotations(0, 1) == made
    assert store.views(["p"])["p"].traits["n"].value == 2**70


def test_what_was_used_lately_is_bounded():
    """The last generation and the one before; what is added anew stays, what is dropped is gone."""
    recent = Recent(2)
    for n in range(6):
        recent.add({n: str(n), "used": "x"}, 1)
    assert recent.split([0, 1, 2, 5, "used"]) == ({2: "2", 5: "5", "used": "x"}, [0, 1])
    recent.drop("used")
    assert recent.split(["used"]) == ({}, ["used"])
    recent.clear()
    assert recent.split([5]) == ({}, [5])
