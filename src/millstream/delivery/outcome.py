"""What became of an event at a destination: states, the closed list of reasons, and the outcome itself. Pure.

One outcome per (event, destination, mapping, effect). `filtered` means that our rules decided and nobody needs to
act; `dead_lettered` that it should have gone, did not, and a person can mend it. SEMANTICS 26.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from millstream.delivery.operation import Job


class State(IntEnum):
    """The state of one effect, and of an event as the worst of its effects (a larger number is worse). Stored."""

    UNDECIDED = 0
    FILTERED = 1
    DELIVERED = 2
    WAITING = 3
    RETRYING = 4
    DEAD_LETTERED = 5


FINAL: Final = frozenset({State.FILTERED, State.DELIVERED, State.DEAD_LETTERED})


class Reason(StrEnum):
    """Why: the closed list. Each member's documentation is in `REASONS`; a test compares the two."""

    OK = "ok"
    # filtered
    DUPLICATE = "duplicate"
    REJECTED_AT_INGEST = "rejected_at_ingest"
    NO_MATCHING_MAPPING = "no_matching_mapping"
    UNSUPPORTED_EVENT_TYPE = "unsupported_event_type"
    NO_IDENTITY = "no_identity"
    UNCHANGED = "unchanged"
    FILTERED_BY_RULES = "filtered_by_rules"
    FILTERED_BY_INTEGRATIONS = "filtered_by_integrations_object"
    FILTERED_BY_CONSENT = "filtered_by_end_user_consent"
    SOURCE_NOT_CONNECTED = "source_not_connected"
    OWN_EVENT = "own_event"
    MESSAGE_SENT_CLIENT_SIDE = "message_sent_client_side"
    DESTINATION_DISABLED = "destination_disabled"
    MAPPING_REMOVED = "mapping_removed"
    GROUP_WITHOUT_WEBSITE = "group_without_website"
    DEFINITION_LIMIT = "definition_limit"
    GDPR_BLOCKED = "gdpr_blocked"
    EXPIRED = "expired"
    DROPPED = "dropped"
    FORGOTTEN = "forgotten"
    CUSTOM_EVENTS_UNAVAILABLE = "custom_events_unavailable"
    SCHEMAS_UNAVAILABLE = "schemas_unavailable"
    ASSOCIATIONS_UNAVAILABLE = "associations_unavailable"
    COMPANIES_UNAVAILABLE = "companies_unavailable"
    CONTACTS_UNAVAILABLE = "contacts_unavailable"
    LISTS_UNAVAILABLE = "lists_unavailable"
    OBJECTS_UNAVAILABLE = "objects_unavailable"
    SUBSCRIPTIONS_UNAVAILABLE = "subscriptions_unavailable"
    LEGACY_EVENTS_UNAVAILABLE = "legacy_events_unavailable"
    FORMS_UNAVAILABLE = "forms_unavailable"
    SYNC_MODE = "sync_mode"
    NOT_IN_AUDIENCE = "not_in_audience"
    FILTERED_BY_SAMPLE = "filtered_by_sample"
    # waiting
    NO_IDENTITY_YET = "no_identity_yet"
    # retrying
    ROW_RETRY = "row_retry"
    # dead-lettered
    INVALID_EMAIL = "invalid_email"
    UNKNOWN_PROPERTY = "unknown_property"
    MISSING_REQUIRED_PROPERTY = "missing_required_property"
    MAPPING_FAILED = "mapping_failed"
    RECORD_NOT_FOUND = "record_not_found"
    REJECTED = "message_rejected"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    AMBIGUOUS = "ambiguous"
    FILTER_FAILED = "filter_failed"
    QUARANTINED = "quarantined"


REASONS: Final[dict[Reason, str]] = {
    Reason.OK: "HubSpot confirmed it.",
    Reason.DUPLICATE: "Its source sent the same messageId before (within 7 days).",
    Reason.REJECTED_AT_INGEST: "It was not a valid event; `millstream tail --rejected` shows why.",
    Reason.NO_MATCHING_MAPPING: "No enabled mapping's trigger matched.",
    Reason.UNSUPPORTED_EVENT_TYPE: "The preset does nothing with this type of event.",
    Reason.NO_IDENTITY: "Nobody could be told whom it belongs to within `identity_wait`.",
    Reason.UNCHANGED: "HubSpot already has exactly these values (within `resend_after`).",
    Reason.FILTERED_BY_RULES: "A destination filter dropped it.",
    Reason.FILTERED_BY_INTEGRATIONS: "The event's `integrations` object excludes this destination.",
    Reason.FILTERED_BY_CONSENT: "The visitor did not consent to this destination's categories.",
    Reason.SOURCE_NOT_CONNECTED: "The destination does not take this source.",
    Reason.OWN_EVENT: "The event came from this destination.",
    Reason.MESSAGE_SENT_CLIENT_SIDE: "The page itself delivered it (device mode).",
    Reason.DESTINATION_DISABLED: "The destination was off when the event was read.",
    Reason.MAPPING_REMOVED: "The mapping it waited under no longer exists.",
    Reason.GROUP_WITHOUT_WEBSITE: "A group call without a usable `website`, for a group that is not known yet.",
    Reason.DEFINITION_LIMIT: "It would need one more event definition than we may create.",
    Reason.GDPR_BLOCKED: "The address is on HubSpot's GDPR blocklist.",
    Reason.EXPIRED: "The destination lagged beyond `max_lag`.",
    Reason.DROPPED: "Somebody gave the dead letter up.",
    Reason.FORGOTTEN: "`millstream forget` removed the person.",
    Reason.CUSTOM_EVENTS_UNAVAILABLE: "The portal's plan or the token's scopes do not allow custom events.",
    Reason.SCHEMAS_UNAVAILABLE: "The token may not create properties or definitions.",
    Reason.ASSOCIATIONS_UNAVAILABLE: "The token may not write associations.",
    Reason.COMPANIES_UNAVAILABLE: "The token may not write companies.",
    Reason.CONTACTS_UNAVAILABLE: "The token may not write contacts.",
    Reason.LISTS_UNAVAILABLE: "The token may not write lists.",
    Reason.OBJECTS_UNAVAILABLE: "The token may not write records of this type.",
    Reason.SUBSCRIPTIONS_UNAVAILABLE: "The token may not write subscription statuses.",
    Reason.LEGACY_EVENTS_UNAVAILABLE: "HubSpot's tracking pixel refuses the request.",
    Reason.FORMS_UNAVAILABLE: "HubSpot does not take the attribution form.",
    Reason.SYNC_MODE: "The mapping only adds or only updates, and the record is there or is not.",
    Reason.NOT_IN_AUDIENCE: "The event does not say whether its person is on the list.",
    Reason.FILTERED_BY_SAMPLE: "A destination filter samples, and the event is not in the sample.",
    Reason.NO_IDENTITY_YET: "It waits until its person has an email, a contact id or a user token.",
    Reason.ROW_RETRY: "HubSpot refused this record for the moment; it is tried again.",
    Reason.INVALID_EMAIL: "What is given as the email address is none.",
    Reason.UNKNOWN_PROPERTY: "HubSpot has no such property, and `unknown_properties` is `reject`.",
    Reason.MISSING_REQUIRED_PROPERTY: "The portal requires a property: map it, or use `api_version: 2026-03`.",
    Reason.MAPPING_FAILED: "The mapping could not be evaluated or gave invalid fields.",
    Reason.RECORD_NOT_FOUND: "A record that it names does not exist in HubSpot.",
    Reason.REJECTED: "HubSpot refused it; the detail is HubSpot's message.",
    Reason.ATTEMPTS_EXHAUSTED: "Its record failed too often; the detail is the last failure.",
    Reason.AMBIGUOUS: "Several records in HubSpot fit; the detail says which property.",
    Reason.FILTER_FAILED: "A destination filter could not be evaluated; nothing was sent (fail closed).",
    Reason.QUARANTINED: "Handling it raised an error of ours; the detail says which and where. Redeliver it with a mended version.",
}


class Outcome(NamedTuple):
    """What became of one effect. `detail` may quote the destination; `call` names the request that decided it."""

    job: Job
    state: State
    reason: Reason
    detail: str = ""
    notes: tuple[str, ...] = ()
    call: str = ""
