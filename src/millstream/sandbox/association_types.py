"""HubSpot's own association types of each pair of object types."""

from __future__ import annotations

from typing import Final

HUBSPOT: Final = "HUBSPOT_DEFINED"
USER: Final = "USER_DEFINED"
# (from, to) → [(type id, name, label)]; the first is the unlabelled default.
TYPES: Final[dict[tuple[str, str], list[tuple[int, str, str | None]]]] = {
    ("contacts", "companies"): [
        (279, "contact_to_company_unlabeled", None),
        (1, "contact_to_company", "Primary"),
    ],
    ("companies", "contacts"): [
        (280, "company_to_contact_unlabeled", None),
        (2, "company_to_contact", "Primary"),
    ],
    ("contacts", "deals"): [(4, "contact_to_deal", None)],
    ("deals", "contacts"): [(3, "deal_to_contact", None)],
    ("deals", "companies"): [(341, "deal_to_company_unlabeled", None), (5, "deal_to_company", "Primary")],
    ("companies", "deals"): [(342, "company_to_deal_unlabeled", None), (6, "company_to_deal", "Primary")],
    ("contacts", "tickets"): [(15, "contact_to_ticket", None)],
    ("tickets", "contacts"): [(16, "ticket_to_contact", None)],
    ("tickets", "companies"): [
        (339, "ticket_to_company_unlabeled", None),
        (26, "ticket_to_company", "Primary"),
    ],
    ("companies", "tickets"): [
        (340, "company_to_ticket_unlabeled", None),
        (25, "company_to_ticket", "Primary"),
    ],
    ("contacts", "contacts"): [(449, "contact_to_contact", None)],
    ("companies", "companies"): [(450, "company_to_company", None)],
    ("deals", "deals"): [(451, "deal_to_deal", None)],
    ("deals", "tickets"): [(27, "deal_to_ticket", None)],
    ("tickets", "deals"): [(28, "ticket_to_deal", None)],
}
# activity or part of a deal → {record: (type id from it to the record, type id back)}
_PAIRS: Final[dict[str, dict[str, tuple[int, int]]]] = {
    "calls": {"contacts": (194, 193), "companies": (182, 181), "deals": (206, 205), "tickets": (220, 219)},
    "emails": {"contacts": (198, 197), "companies": (186, 185), "deals": (210, 209), "tickets": (224, 223)},
    "meetings": {"contacts": (200, 199), "companies": (188, 187), "deals": (212, 211), "tickets": (226, 225)},
    "notes": {"contacts": (202, 201), "companies": (190, 189), "deals": (214, 213), "tickets": (228, 227)},
    "tasks": {"contacts": (204, 203), "companies": (192, 191), "deals": (216, 215), "tickets": (230, 229)},
    "communications": {"contacts": (81, 82), "companies": (87, 88), "deals": (85, 86), "tickets": (83, 84)},
    "postal_mail": {
        "contacts": (453, 454),
        "companies": (459, 460),
        "deals": (457, 458),
        "tickets": (455, 456),
    },
    "line_items": {"deals": (20, 19)},
    "quotes": {"deals": (64, 63)},
}
for _left, _records in _PAIRS.items():
    for _right, (_there, _back) in _records.items():
        _one, _other = (n if n == "postal_mail" else n.removesuffix("s") for n in (_left, _right))
        _other = "company" if _right == "companies" else _other
        TYPES[_left, _right] = [(_there, f"{_one}_to_{_other}", None)]
        TYPES[_right, _left] = [(_back, f"{_other}_to_{_one}", None)]
