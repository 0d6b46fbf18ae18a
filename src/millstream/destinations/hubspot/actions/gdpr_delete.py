"""Delete a contact for good, as the law asks: HubSpot removes it and blocks its address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.operation import Key, Write
from millstream.delivery.outcome import Reason, State
from millstream.destinations.hubspot.actions.fields import EMAIL
from millstream.destinations.hubspot.context import Context, record_id
from millstream.destinations.kit import Action, Field


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One deletion, behind the contact's earlier writes and before its later ones."""
    email, object_id = fields.get("email"), fields.get("object_id")
    if not context.is_addressed(email, "gdpr_delete", object_id):
        return
    number = record_id(object_id)
    key = Key("contact", "id", number) if number else context.contact_key(email)
    if key is None:
        context.end("gdpr_delete", State.DEAD_LETTERED, Reason.MAPPING_FAILED, "no address and no contact id")
        return
    context.plan.operations.append(
        Write(
            "gdpr_delete",
            key,
            context.says("deleted", True),
            context.job("gdpr_delete"),
            profile=context.person.id if context.person else None,
            notes=tuple(context.notes),
            lane=context.lane,
        )
    )


ACTION: Final = Action(
    "gdpr_delete",
    "GDPR delete",
    "Deletes the contact for good; HubSpot never takes its address again. Nothing undoes it.",
    'type = "track" and event = "User Deletion Requested"',
    (
        EMAIL,
        Field("object_id", "Contact ID", "string", "The contact's id in HubSpot, instead of the address."),
    ),
    plan,
    irrevocable=True,
)
