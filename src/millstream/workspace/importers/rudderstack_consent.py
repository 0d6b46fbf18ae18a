"""What a RudderStack destination says of consent → our `consent_categories` and `consent_resolution`.

RudderStack keeps a list for each provider, and for each kind of source; here a destination has one. So they are taken
over when all of them ask for the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from millstream.workspace.importers.report import Report, literal, shown

_GENERIC: Final = "consentManagement"
# Settings of before there were others: the key of an id in them, and how that provider's ids combine.
_OLDER: Final = {
    "oneTrustCookieCategories": ("oneTrustCookieCategory", "and"),
    "ketchConsentPurposes": ("purpose", "or"),
}
# `custom` asks the destination how its ids combine; the events of the others say it themselves, as this.
_STRATEGIES: Final = {"ketch": "or"}


class _Wanted(NamedTuple):
    """Ids that a destination asks for, and whether all (`and`) or any (`or`) of them are needed."""

    categories: tuple[str, ...]
    resolution: str


def read(config: dict[str, Any], where: str, report: Report) -> dict[str, Any]:
    """The keys of our destination; none when RudderStack asked nobody, or not everybody for the same."""
    given = {_GENERIC: list(_generic(config, where, report))}
    given |= {} if given[_GENERIC] else {key: list(_older(config, key, where, report)) for key in _OLDER}
    wanted = {w for found in given.values() for w in found if w.categories}
    if not wanted:
        return {}
    settings = [key for key, found in given.items() if found]
    if len(wanted) > 1:
        said = ", ".join(shown(config[key]) for key in settings)
        report.warn(
            f"{where}.{settings[0]}",
            "not one set of categories for all providers and sources: set `consent_categories` yourself; "
            f"not taken over: {said}",
        )
        return {}
    (one,) = wanted
    report.info(
        f"{where}.{settings[0]}", "counts for every event that says something of consent, of any provider"
    )
    found: dict[str, Any] = {"consent_categories": literal(list(one.categories))}
    return found if one.resolution == "and" else found | {"consent_resolution": one.resolution}


def _generic(config: dict[str, Any], where: str, report: Report) -> Iterator[_Wanted]:
    for path, given in _listed(config.get(_GENERIC), f"{where}.{_GENERIC}", report):
        strategy = given.get("resolutionStrategy") or _STRATEGIES.get(str(given.get("provider")), "and")
        if not isinstance(strategy, str) or strategy not in {"and", "or"}:
            report.error(f"{path}.resolutionStrategy", f"not known: {shown(strategy)}; taken as `and`")
            strategy = "and"
        yield _Wanted(_ids(given.get("consents"), "consent", f"{path}.consents", report), strategy)


def _older(config: dict[str, Any], key: str, where: str, report: Report) -> Iterator[_Wanted]:
    word, strategy = _OLDER[key]
    given = config.get(key)
    by_source = given if isinstance(given, dict) else {"": given}
    for kind, listed in by_source.items():
        path = f"{where}.{key}" + (f".{kind}" if kind else "")
        yield _Wanted(_ids(listed, word, path, report), strategy)


def _listed(given: Any, where: str, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """Objects of a list, or of the lists of each kind of source."""
    if isinstance(given, dict):
        for kind, listed in given.items():
            yield from report.objects(listed, f"{where}.{kind}")
    else:
        yield from report.objects(given, where)


def _ids(given: Any, word: str, where: str, report: Report) -> tuple[str, ...]:
    """The ids, sorted: their order says nothing. The form keeps an empty row at first."""
    found = set()
    for path, item in report.objects(given, where):
        name = item.get(word)
        if isinstance(name, str):
            found.add(name.strip())
        elif name is not None:
            report.error(f"{path}.{word}", f"must be text, not {shown(name)}")
    return tuple(sorted(found - {""}))
