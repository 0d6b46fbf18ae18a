"""What goes beside the API, without a token: legacy events by the tracking pixel, and forms that keep the source."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.delivery.note import Note
from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.sink import CallFailed, Cause, Confirmed, Rejected, Result, SendRow, WriteRow
from millstream.destinations.hubspot.calls.rows import Send
from millstream.destinations.hubspot.failures import call_failed
from millstream.destinations.hubspot.portal import Portal
from millstream.hubspot_api.errors import HubSpotError, Unreachable


async def send_legacy_events(
    portal: Portal, rows: Sequence[SendRow], _records: Records, _send: Send
) -> list[Result]:
    """The picture says that the request arrived, not that HubSpot took it: noted `unconfirmed` (SEMANTICS 19)."""
    results: list[Result] = []
    for row in rows:
        try:
            await portal.pixel.send(portal.operations.legacy_event(dict(row.payload["query"])))
        except (HubSpotError, Unreachable) as error:
            failed = call_failed(error)
            raise CallFailed(failed.cause, failed.detail, retry_after_s=failed.retry_after_s) from None
        results.append(Confirmed(notes=(Note.UNCONFIRMED,)))
    return results


async def submit_forms(
    portal: Portal, rows: Sequence[WriteRow], _records: Records, _send: Send
) -> list[Result]:
    """One form a call: it links the visitor's cookie, and with it the original source, to the contact to be."""
    results: list[Result] = []
    for row in rows:
        context = {k: row.extra[k] for k in ("hutk", "pageUri", "pageName") if row.extra.get(k)}
        form = str(portal.settings["attribution_form"])
        request = portal.operations.submit_form(
            str(portal.settings["portal_id"]), form, row.key.value, context
        )
        try:
            await portal.forms.send(request)
        except (HubSpotError, Unreachable) as error:
            failed = call_failed(error)
            if failed.cause is not Cause.BATCH_REJECTED:
                raise failed from None
            results.append(Rejected(Reason.REJECTED, failed.detail))
        else:
            results.append(Confirmed())
    return results
