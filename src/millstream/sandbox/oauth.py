"""OAuth: the consent page, token endpoints v1, v3 and dated, introspection, revocation.

One app: `SandboxConfig.client_id` and `client_secret`. Access tokens live half an hour of the portal's clock.
"""

from __future__ import annotations

import html
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import DATED, Call, Content, Reply, Route, route

LIFETIME_S: Final = 1800
_CODE_S: Final = 600


def authorize(portal: Portal, call: Call) -> Reply:
    """The consent page; with `approve=1` (its button) back to the app with a code."""
    query = call.query
    if query.get("client_id") != portal.config.client_id:
        raise Refused(400, "Couldn't complete the connection: client_id is not known", "BAD_CLIENT_ID")
    target = query.get("redirect_uri") or ""
    if not target.startswith(("http://", "https://")):
        raise Refused(
            400, "Couldn't complete the connection: redirect_uri is missing", "MISMATCH_REDIRECT_URI"
        )
    scopes = query.get("scope", "").split()
    if query.get("approve") != "1":
        again = html.escape("?" + urlencode({**query, "approve": "1"}))
        listed = "".join(f"<li>{html.escape(s)}</li>" for s in scopes)
        page = (
            "<!doctype html><meta charset=utf-8><title>Connect an app</title><body style='font:16px sans-serif;"
            f"max-width:32rem;margin:3rem auto'><h1>Connect to portal {portal.config.portal_id}</h1>"
            f"<p>The app asks for:</p><ul>{listed}</ul><p><a href='{again}'>Connect app</a></p>"
        )
        return 200, Content(page.encode(), "text/html; charset=utf-8")
    code = portal.secret("code")
    portal.codes[code] = {"redirect_uri": target, "scopes": scopes, "until": portal.seconds() + _CODE_S}
    answer = {"code": code} | ({"state": query["state"]} if "state" in query else {})
    joint = "&" if "?" in target else "?"
    return 302, Content(b"", "text/plain", {"Location": f"{target}{joint}{urlencode(answer)}"})


def token(portal: Portal, call: Call) -> Reply:
    """`POST …/token`: a code or a refresh token against an access token."""
    form = {**call.query, **_form(call)}
    if (
        form.get("client_id") != portal.config.client_id
        or form.get("client_secret") != portal.config.client_secret
    ):
        raise _refused("BAD_CLIENT_ID", "missing or unknown client id")
    grant = form.get("grant_type")
    if grant == "authorization_code":
        given = portal.codes.pop(form.get("code", ""), None)
        if given is None or given["until"] < portal.seconds():
            raise _refused("BAD_AUTH_CODE", "missing or unknown auth code")
        if given["redirect_uri"] != form.get("redirect_uri"):
            raise _refused("MISMATCH_REDIRECT_URI", "redirect URI mismatch")
        refresh = portal.secret("refresh")
        portal.refresh_tokens[refresh] = {"scopes": given["scopes"]}
    elif grant == "refresh_token":
        refresh = form.get("refresh_token", "")
        if refresh not in portal.refresh_tokens:
            raise _refused("BAD_REFRESH_TOKEN", "refresh token is invalid, expired or revoked")
    elif grant == "client_credentials":
        refresh = ""
    else:
        raise _refused("BAD_GRANT_TYPE", "missing or unknown grant type")
    scopes = portal.refresh_tokens[refresh]["scopes"] if refresh else form.get("scope", "").split()
    access = portal.secret("access")
    portal.access_tokens[access] = {
        "scopes": scopes,
        "until": portal.seconds() + LIFETIME_S,
        "refresh": refresh,
    }
    made: dict[str, Any] = {"token_type": "bearer", "access_token": access, "expires_in": LIFETIME_S}
    if refresh:
        made["refresh_token"] = refresh
    if call.version != "v1":
        use = "access_token" if refresh else "client_credentials"
        made |= {"token_use": use, "hub_id": portal.config.portal_id, "scopes": scopes, "user_id": 1}
    return 200, made


def _refused(status: str, message: str) -> Refused:
    """In the words of OAuth, which know neither correlation id nor category."""
    refused = Refused(400, message)
    refused.body = {
        "error": "invalid_grant",
        "error_description": message,
        "status": status,
        "message": message,
    }
    return refused


def _described(portal: Portal, value: str, found: dict[str, Any] | None, kind: str) -> dict[str, Any]:
    if found is None:
        raise Refused(404, f"{kind} token is not known", "OBJECT_NOT_FOUND")
    body: dict[str, Any] = {
        "token": value,
        "user": "ada.lovelace@portal.example",
        "hub_domain": "sandbox.example",
        "scopes": found["scopes"],
        "hub_id": portal.config.portal_id,
        "app_id": 1,
        "user_id": 1,
        "client_id": portal.config.client_id,
        "token_type": kind,
    }
    if kind == "access":
        body["expires_in"] = max(int(found["until"] - portal.seconds()), 0)
        body["is_private_distribution"] = False
        body["signed_access_token"] = _signed(portal, found)
    return body


def _signed(portal: Portal, found: dict[str, Any]) -> dict[str, Any]:
    """What HubSpot signs of an access token; the signature here is the sandbox's own word."""
    return {
        "expiresAt": int(found["until"] * 1000),
        "scopes": " ".join(found["scopes"]),
        "hubId": portal.config.portal_id,
        "userId": 1,
        "appId": 1,
        "signature": "sandbox",
        "scopeToScopeGroupPks": "",
        "newSignature": "sandbox",
        "hublet": "na1",
        "trialScopes": "",
        "trialScopeToScopeGroupPks": "",
        "isUserLevel": False,
        "isPrivateDistribution": False,
        "isServiceAccount": False,
        "installingUserId": 1,
    }


def access_token(portal: Portal, call: Call) -> Reply:
    """`GET /oauth/v1/access-tokens/{token}`."""
    return 200, _described(portal, call["token"], portal.access_tokens.get(call["token"]), "access")


def refresh_token(portal: Portal, call: Call) -> Reply:
    """`GET /oauth/v1/refresh-tokens/{token}`."""
    return 200, _described(portal, call["token"], portal.refresh_tokens.get(call["token"]), "refresh")


def forget_refresh_token(portal: Portal, call: Call) -> Reply:
    """`DELETE /oauth/v1/refresh-tokens/{token}`: its access tokens live on until they end."""
    portal.refresh_tokens.pop(call["token"], None)
    return 204, None


def introspect(portal: Portal, call: Call) -> Reply:
    """`POST …/token/introspect`, by form."""
    value = _form_token(call)
    access, refresh = portal.access_tokens.get(value), portal.refresh_tokens.get(value)
    if access is not None and access["until"] > portal.seconds():
        return 200, {
            "active": True,
            "token_use": "access_token",
            **_described(portal, value, access, "access"),
        }
    if refresh is not None:
        return 200, {
            "active": True,
            "token_use": "refresh_token",
            **_described(portal, value, refresh, "refresh"),
        }
    return 200, {"active": False}


def revoke(portal: Portal, call: Call) -> Reply:
    """`POST …/token/revoke`, by form; a refresh token takes its access tokens with it."""
    value = _form_token(call)
    portal.refresh_tokens.pop(value, None)
    portal.access_tokens = {
        t: a for t, a in portal.access_tokens.items() if t != value and a["refresh"] != value
    }
    return 200, {}


def _form_token(call: Call) -> str:
    return _form(call).get("token", "")


def _form(call: Call) -> dict[str, str]:
    """The form's fields. HubSpot's own client of the dated paths sends them as JSON, so there both are read."""
    if isinstance(call.body, dict) and call.version in DATED:
        return {k: str(v) for k, v in call.body.items()}
    return {k: v[0] for k, v in parse_qs(call.raw.decode("utf-8", "replace")).items()}


def private_app(portal: Portal, call: Call) -> Reply:
    """`POST /oauth/v2/private-apps/get/access-token-info`: what the portal's own token may do."""
    if call.object.get("tokenKey") != portal.config.token:
        raise Refused(404, "token not found", "OBJECT_NOT_FOUND")
    return 200, {
        "userId": 1,
        "hubId": portal.config.portal_id,
        "appId": 1,
        "scopes": list(portal.config.scopes),
    }


_NEWER: Final = ("v3", *DATED)
ROUTES: Final[list[Route]] = [
    *route("GET", ("/oauth/authorize", "/oauth/{hubId}/authorize"), authorize, open=True),
    *route("POST", [f"/oauth/{v}/token" for v in ("v1", *_NEWER)], token, open=True),
    *route("POST", [f"/oauth/{v}/token/introspect" for v in _NEWER], introspect, open=True),
    *route("POST", [f"/oauth/{v}/token/revoke" for v in _NEWER], revoke, open=True),
    *route("GET", "/oauth/v1/access-tokens/{token}", access_token, open=True),
    *route("GET", "/oauth/v1/refresh-tokens/{token}", refresh_token, open=True),
    *route("DELETE", "/oauth/v1/refresh-tokens/{token}", forget_refresh_token, open=True),
    *route("POST", "/oauth/v2/private-apps/get/access-token-info", private_app, open=True),
]
