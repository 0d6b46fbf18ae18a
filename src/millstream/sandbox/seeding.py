"""A portal full of people who might exist: the same seed makes the same portal.

Names come from many cultures, with the towns, telephone prefixes and domains that go with them. All addresses are under
`.example`, which nobody can own. Times lie in 2021 to 2025, whatever the day is, so that two portals of one seed are
equal. Records are put in directly: nothing is validated and no webhook is sent; search sees them at once.
"""

# ruff: noqa: RUF001  (names are written as their owners write them)

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, Final, NamedTuple
from uuid import UUID

from millstream.sandbox import definitions
from millstream.sandbox.association_types import HUBSPOT
from millstream.sandbox.associations import default_type
from millstream.sandbox.errors import Refused
from millstream.sandbox.occurrences import enterprise
from millstream.sandbox.portal import Portal
from millstream.sandbox.record import Record
from millstream.sandbox.records import Records
from millstream.sandbox.routing import Call

_KINDS: Final = ("contacts", "companies", "deals", "events")
_MOST: Final = 10_000_000
_SINCE: Final = datetime(2021, 1, 1, tzinfo=UTC)
_DAYS: Final = 5 * 365


class _Culture(NamedTuple):
    """Names as they are written and as they stand in addresses: `Zoë/zoe`; without a slash they are the same."""

    share: int
    country: str
    cities: str
    phone: str
    top: str
    first: str
    last: str


_CULTURES: Final = tuple(
    _Culture(*row)
    for row in (
        (24, "United States", "New York,Austin,Chicago,Seattle,Boston", "+1 202", "us",
         "Mary James Linda Robert Ava Michael Grace William Emma David Chloe Noah", "Smith Johnson Brown Davis Miller Wilson Moore Taylor Clark Hall"),
        (9, "United Kingdom", "London,Leeds,Bristol,Glasgow", "+44 20", "uk",
         "Olivia Oliver Amelia George Isla Harry Ava Jack Poppy Arthur", "Jones Evans Walker Wright Hughes Green Wood Harris Lewis Bell"),
        (11, "Germany", "Berlin,Hamburg,München,Köln,Leipzig", "+49 30", "de",
         "Jürgen/juergen Anna Björn/bjoern Lena Felix Käthe/kaethe Max Sophie Paul Marie", "Müller/mueller Schmidt Schäfer/schaefer Weber Fischer Becker Groß/gross Wagner Koch Richter"),
        (7, "France", "Paris,Lyon,Nantes,Lille", "+33 1", "fr",
         "Zoé/zoe Hugo Chloé/chloe Louis Léa/lea Théo/theo Camille Jules Inès/ines Adèle/adele", "Martin Bernard Dubois Lefèvre/lefevre Moreau Laurent Garçon/garcon Girard Noël/noel Fontaine"),
        (7, "Spain", "Madrid,Sevilla,Valencia,Bilbao", "+34 91", "es",
         "Lucía/lucia José/jose María/maria Hugo Martín/martin Sofía/sofia Álvaro/alvaro Carmen Iñigo/inigo Elena", "García/garcia Fernández/fernandez López/lopez Núñez/nunez Romero Díaz/diaz Vega Muñoz/munoz Ortiz Ramos"),
        (6, "Poland", "Warszawa,Kraków,Gdańsk", "+48 22", "pl",
         "Zofia Łukasz/lukasz Małgorzata/malgorzata Jan Agnieszka Paweł/pawel Kasia Piotr", "Nowak Kowalska Wiśniewski/wisniewski Wójcik/wojcik Zając/zajac Król/krol Mazur Dąbrowska/dabrowska"),
        (5, "Türkiye", "İstanbul,Ankara,İzmir", "+90 212", "tr",
         "Ayşe/ayse Mehmet Çağla/cagla Emre Gül/gul Uğur/ugur Deniz Şule/sule", "Yılmaz/yilmaz Kaya Demir Şahin/sahin Çelik/celik Öztürk/ozturk Aydın/aydin Koç/koc"),
        (5, "Ukraine", "Київ,Львів,Одеса", "+380 44", "ua",
         "Олена/olena Андрій/andrii Ірина/iryna Тарас/taras Юлія/yuliia Богдан/bohdan", "Шевченко/shevchenko Коваль/koval Бондар/bondar Мельник/melnyk Ткаченко/tkachenko"),
        (6, "Japan", "東京,大阪,京都,札幌", "+81 3", "jp",
         "美咲/misaki 蓮/ren 陽菜/hina 大翔/hiroto さくら/sakura 健/ken", "佐藤/sato 鈴木/suzuki 高橋/takahashi 田中/tanaka 伊藤/ito 山本/yamamoto"),
        (6, "China", "北京,上海,深圳,成都", "+86 10", "cn",
         "伟/wei 芳/fang 秀英/xiuying 敏/min 静/jing 强/qiang", "王/wang 李/li 张/zhang 刘/liu 陈/chen 杨/yang 黄/huang"),
        (6, "India", "Mumbai,Bengaluru,Delhi,Pune", "+91 22", "in",
         "Aarav Priya Rohan Ananya Vikram Meera Arjun Kavya Sanjay Lakshmi", "Sharma Patel Singh Iyer Gupta Reddy Nair Das Khan Rao"),
        (4, "Egypt", "القاهرة,الإسكندرية", "+20 2", "eg",
         "محمد/mohamed فاطمة/fatima أحمد/ahmed ليلى/layla يوسف/youssef مريم/mariam", "حسن/hassan علي/ali إبراهيم/ibrahim منصور/mansour خليل/khalil"),
        (4, "Brazil", "São Paulo,Recife,Curitiba", "+55 11", "br",
         "João/joao Ana Conceição/conceicao Pedro Luíza/luiza Caio Beatriz Antônio/antonio", "Silva Souza Oliveira Araújo/araujo Gonçalves/goncalves Lima Ferrão/ferrao Melo"),
    )
)  # fmt: skip
_WORDS: Final = (
    "Acme", "North", "Blue", "Bright", "Cedar", "Delta", "Ember", "Falcon", "Granite", "Harbor", "Iris", "Juniper",
    "Kite", "Lumen", "Maple", "Nova", "Orbit", "Pine", "Quartz", "River", "Summit", "Tidal", "Umbra", "Vertex",
    "Willow", "Zephyr",
)  # fmt: skip
_TRADES: Final = (
    "Labs", "Foods", "Systems", "Works", "Logistics", "Health", "Energy", "Media", "Robotics", "Textiles", "Partners",
    "Analytics",
)  # fmt: skip
_FORMS: Final = {"us": "Inc.", "uk": "Ltd", "de": "GmbH", "fr": "SAS", "es": "SL", "jp": "KK", "br": "Ltda"}
_MAIL: Final = ("mail.example", "post.example", "inbox.example", "letters.example")
_JOBS: Final = (
    "Engineer", "Founder", "Head of Marketing", "Sales Manager", "Buyer", "Accountant", "Designer", "Data Analyst",
    "Office Manager", "Consultant",
)  # fmt: skip
_INDUSTRIES: Final = ("COMPUTER_SOFTWARE", "INTERNET", "RETAIL")
# What share of contacts is in which stage, in percent.
_STAGES: Final = {
    "subscriber": 34, "lead": 30, "marketingqualifiedlead": 12, "salesqualifiedlead": 7, "opportunity": 5,
    "customer": 10, "evangelist": 1, "other": 1,
}  # fmt: skip
_DEAL_STAGES: Final = {
    "appointmentscheduled": 18, "qualifiedtobuy": 15, "presentationscheduled": 12, "decisionmakerboughtin": 9,
    "contractsent": 7, "closedwon": 22, "closedlost": 17,
}  # fmt: skip
_EVENTS: Final[tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]] = (
    ("signed_up", "Signed Up", (("plan", "string"), ("referrer_url", "string"))),
    ("viewed_product", "Viewed Product", (("product", "string"), ("price", "number"))),
    (
        "completed_order",
        "Completed Order",
        (("order_id", "string"), ("total", "number"), ("currency", "string")),
    ),
    ("invited_colleague", "Invited Colleague", (("role", "string"),)),
)


def seed(portal: Portal, wanted: dict[str, Any]) -> dict[str, int]:
    """`{"contacts": n, "companies": n, "deals": n, "events": n, "associations": true, "seed": k}`, all optional.

    The number of records of each type afterwards. Raises `Refused`, and then has changed nothing.
    """
    counts = _counts(wanted)
    if counts["events"]:
        enterprise(portal)
        if not counts["contacts"] and not portal.records["contacts"].count(0, 2**62):
            raise Refused(400, "events need contacts")
        _define(portal)
    linked = bool(wanted.get("associations", True))
    # Each kind has its own stream: more contacts do not make other companies.
    streams = {kind: random.Random(f"{wanted.get('seed', 0)}/{kind}") for kind in _KINDS}
    companies = list(_companies(portal.records["companies"], counts["companies"], streams["companies"]))
    contacts = portal.records["contacts"]
    contacts.load(_contacts(portal, counts["contacts"], streams["contacts"], companies, linked=linked))
    portal.records["deals"].load(_deals(portal, counts["deals"], streams["deals"], linked=linked))
    _occurrences(portal, counts["events"], streams["events"])
    return {name: len(records.by_id) for name, records in portal.records.items()}


def _counts(wanted: dict[str, Any]) -> dict[str, int]:
    unknown = set(wanted) - {*_KINDS, "associations", "seed"}
    if unknown:
        raise Refused(400, f"{', '.join(sorted(unknown))}: known are {', '.join(_KINDS)}, associations, seed")
    counts = {kind: wanted.get(kind, 0) for kind in _KINDS}
    for kind, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MOST:
            raise Refused(400, f"{kind}: a whole number from 0 to {_MOST} is needed")
    return counts


class _Weighted:
    """Draws from a few texts of different weights."""

    def __init__(self, weights: dict[str, int]) -> None:
        self._texts = list(weights)
        self._sums = list(accumulate(weights.values()))

    def draw(self, rng: random.Random) -> str:
        """One of them."""
        return rng.choices(self._texts, cum_weights=self._sums)[0]


def _names(text: str) -> list[tuple[str, str]]:
    pairs = (word.partition("/") for word in text.split())
    return [(shown, plain or shown.lower()) for shown, _, plain in pairs]


_PEOPLE: Final = [(c, _names(c.first), _names(c.last), c.cities.split(",")) for c in _CULTURES]
_SUMS: Final = list(accumulate(c.share for c in _CULTURES))


def _moment(rng: random.Random, *, after: str = "") -> str:
    """A time in the seeded years; more of them late than early, as portals grow."""
    end = _SINCE + timedelta(days=_DAYS)
    begin = min(datetime.fromisoformat(after), end - timedelta(days=1)) if after else _SINCE
    left = (end - begin).total_seconds()
    at = begin + timedelta(milliseconds=int(1000 * left * rng.random() ** 0.6))
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _made(record_id: int, created: str, values: dict[str, str]) -> Record:
    return Record(str(record_id), created, created, values)


class _Company(NamedTuple):
    """What contacts need to know of theirs."""

    record: Record
    culture: int
    domain: str
    name: str


def _companies(records: Records, count: int, rng: random.Random) -> Iterator[_Company]:
    first = records.next_id
    for number in range(first, first + count):
        culture = rng.choices(range(len(_CULTURES)), cum_weights=_SUMS)[0]
        home, _, _, cities = _PEOPLE[culture]
        word, trade = rng.choice(_WORDS), rng.choice(_TRADES)
        name = f"{word} {trade} {_FORMS.get(home.top, '')}".strip()
        # The number of the record makes the domain unique, also when a portal is seeded twice.
        domain = f"{word}-{trade}-{number}.{home.top}.example".lower()
        values = {
            "name": name,
            "domain": domain,
            "website": f"https://{domain}",
            "phone": f"{home.phone} {rng.randrange(10**6):06d}",
            "city": rng.choice(cities),
            "country": home.country,
            "industry": rng.choice(_INDUSTRIES),
            "numberofemployees": str(int(10 ** rng.uniform(0, 4))),
        }
        made = _made(number, _moment(rng), values)
        records.load([made])
        yield _Company(made, culture, domain, name)


def _contacts(
    portal: Portal, count: int, rng: random.Random, companies: list[_Company], *, linked: bool
) -> Iterator[Record]:
    contacts = portal.records["contacts"]
    taken, first, stages = contacts.unique["email"], contacts.next_id, _Weighted(_STAGES)
    link = _Link(portal, "contacts", "companies")
    for number in range(first, first + count):
        company = rng.choice(companies) if companies and rng.random() < 0.7 else None
        culture = company.culture if company else rng.choices(range(len(_CULTURES)), cum_weights=_SUMS)[0]
        home, firsts, lasts, cities = _PEOPLE[culture]
        (shown, given), (family, name) = rng.choice(firsts), rng.choice(lasts)
        host = company.domain if company else rng.choice(_MAIL)
        email = f"{given}.{name}@{host}" if company else f"{given}.{name}{number}@{host}"
        while email in taken:
            email = f"{given}.{name}.{number}-{rng.randrange(10**6)}@{host}"
        values = {
            "email": email,
            "firstname": shown,
            "lastname": family,
            "phone": f"{home.phone} {rng.randrange(10**7):07d}",
            "city": rng.choice(cities),
            "country": home.country,
            "lifecyclestage": stages.draw(rng),
        }
        if company:
            values |= {"company": company.name, "jobtitle": rng.choice(_JOBS)}
        made = _made(number, _moment(rng), values)
        yield made
        if company and linked:
            link(made.id, company.record.id)


class _Link:
    """Associates records of two types as HubSpot's default does, in both directions."""

    def __init__(self, portal: Portal, left: str, right: str) -> None:
        self._add = portal.associations.add
        self._left, self._right = left, right
        self._there = {default_type(portal, left, right): HUBSPOT}
        self._back = {default_type(portal, right, left): HUBSPOT}

    def __call__(self, i: str, j: str) -> None:
        """These two."""
        self._add(self._left, i, self._right, j, self._there)
        self._add(self._right, j, self._left, i, self._back)


def _deals(portal: Portal, count: int, rng: random.Random, *, linked: bool) -> Iterator[Record]:
    first, stages = portal.records["deals"].next_id, _Weighted(_DEAL_STAGES)
    with_contact, with_company = _Link(portal, "deals", "contacts"), _Link(portal, "deals", "companies")
    contacts = list(portal.records["contacts"].live()) if count else []
    for number in range(first, first + count):
        contact = rng.choice(contacts) if contacts else None
        created = _moment(rng, after=contact.created if contact else "")
        stage = stages.draw(rng)
        values = {
            "dealname": f"{rng.choice(_WORDS)} {rng.choice(('renewal', 'pilot', 'expansion', 'licence'))} {number}",
            "amount": str(int(10 ** rng.uniform(2, 5.5))),
            "pipeline": "default",
            "dealstage": stage,
            "closedate": _moment(rng, after=created),
        }
        made = _made(number, created, values)
        yield made
        if contact and linked:
            with_contact(made.id, contact.id)
            for company in portal.associations.of("contacts", contact.id, "companies"):
                with_company(made.id, company)


def _define(portal: Portal) -> None:
    """The event definitions, where a portal does not have them. Raises `Refused` when it cannot have any."""
    for name, label, properties in _EVENTS:
        if name in portal.definitions or name in portal.burnt:
            continue
        listed = [{"name": n, "label": n, "type": t} for n, t in properties]
        body = {"name": name, "label": label, "propertyDefinitions": listed, "includeDefaultProperties": []}
        definitions.create(portal, Call("POST", "/events/v3/event-definitions", {}, {}, body))
    if not any(e[0] in portal.definitions for e in _EVENTS):
        raise Refused(400, "The definitions that seeded events need were all deleted")


def _occurrences(portal: Portal, count: int, rng: random.Random) -> None:
    known = [e for e in _EVENTS if e[0] in portal.definitions]
    contacts = list(portal.records["contacts"].live()) if count else []
    for number in range(count):
        name, _, properties = rng.choice(known)
        contact = rng.choice(contacts)
        uuid = str(UUID(int=rng.getrandbits(128), version=4))
        at = _moment(rng, after=contact.created)
        portal.uuids.add((name, uuid))
        portal.occurrences.append(
            {
                "eventName": portal.definitions[name]["fullyQualifiedName"],
                "objectType": "contacts",
                "objectId": contact.id,
                "email": contact.values.get("email"),
                "occurredAt": at,
                "properties": {p: _value(p, kind, rng, number) for p, kind in properties},
                "uuid": uuid,
                "receivedAt": at,
            }
        )


def _value(name: str, kind: str, rng: random.Random, number: int) -> str:
    if kind == "number":
        return f"{rng.uniform(1, 500):.2f}"
    texts = {
        "plan": ("free", "team", "business"),
        "product": ("lamp", "desk", "chair", "shelf"),
        "currency": ("EUR", "USD", "GBP", "JPY"),
        "role": ("admin", "member", "guest"),
        "referrer_url": ("https://search.example/", "https://news.example/"),
    }
    return rng.choice(texts[name]) if name in texts else f"O-{number:07d}"
