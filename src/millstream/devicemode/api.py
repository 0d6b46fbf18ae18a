"""The routes of device mode: settings for every key, the SDKs' files, and the plugin.

Whatever is asked is answered harmlessly: an unknown or disabled key, and a page of an origin that its source does not
take, get settings without destinations. CORS and the places of keys are the tracking API's, passed in.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from millstream.devicemode import settings
from millstream.devicemode.assets import Asset, Assets, begun_with
from millstream.devicemode.hints import preloads
from millstream.devicemode.settings import Address, Events
from millstream.workspace.model import Source, Workspace

Handler = Callable[[Request], Awaitable[Response]]

SETTINGS_CACHE: Final = "public, max-age=60"
# Files under a name that stays the same when they change.
SCRIPT_CACHE: Final = "public, max-age=300"
IMMUTABLE: Final = "public, max-age=31536000, immutable"
_WORTH_PACKING: Final = 860
_PLUGIN: Final = "hubspot-web"
_WHOLE: Final = "hubspot-web-full"  # with the whole mapping language
_RULES_CHUNK: Final = "tsub-middleware.bundle."
# With `obfuscate` Analytics.js asks for the plugin's folder in base64.
_PLUGIN_FOLDERS: Final = frozenset({_PLUGIN, base64.b64encode(_PLUGIN.encode()).decode().rstrip("=")})
_VERSION: Final = re.compile(r"v?\d+(?:\.\d+){0,2}(?:-[\w.]+)?\Z")
_BUILDS: Final = frozenset({"modern", "legacy"})
_AMPLITUDE: Final = re.compile(r"(?:analytics-browser-[\w.-]+-min\.js(?:\.gz)?|amplitude\.min\.js)\Z")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?\Z")


@dataclass(frozen=True, slots=True)
class Edge:
    """What device mode shares with the tracking API: who asks, and what a page may read."""

    cors: Callable[[Mapping[str, str]], dict[str, str]]
    allow: Callable[[str | None, Source | None], bool]
    header_key: Callable[[Mapping[str, str]], str | None]


class Prefixed:
    """Serves one application under the configured path prefix, and another one everywhere else.

    The prefix is asked for with each request, so a reload counts at once; requests without it pay one comparison.
    """

    def __init__(self, prefix: Callable[[], str], under: ASGIApp, otherwise: ASGIApp) -> None:
        self._prefix = prefix
        self._under = under
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        prefix = self._prefix()
        if prefix and scope["type"] == "http" and scope["path"].startswith(f"{prefix}/"):
            await self._under({**scope, "path": scope["path"][len(prefix) :]}, receive, send)
        else:
            await self._otherwise(scope, receive, send)


class DeviceMode:
    """Handlers of device mode. `routes` puts them behind their paths."""

    def __init__(
        self, workspace: Callable[[], Workspace], assets: Assets, events: Events, edge: Edge
    ) -> None:
        self._workspace = workspace
        self._assets = assets
        self._events = events
        self._edge = edge

    def routes(self) -> list[BaseRoute]:
        """Every path that a browser or mobile SDK fetches."""
        paths: dict[str, Handler] = {
            "/v1/projects/{key}/settings": self._segment,
            "/sourceConfig/": self._rudderstack,
            "/sourceConfig": self._rudderstack,
            "/config/{key}": self._amplitude,
            "/config": self._amplitude,
            "/v1/capture": self._capture,
            "/analytics.js/v1/{key}/analytics.min.js": self._analytics,
            "/analytics-next/bundles/{file}": self._bundle,
            "/next-integrations/actions/{folder}/{file}": self._plugin,
            "/next-integrations/integrations/hubspot/{version}/hubspot.dynamic.js.gz": self._script(
                "hubspot.dynamic.js"
            ),
            "/{version}/{build}/rsa.min.js": self._rudderstack_script("rsa.min.js"),
            "/{version}/{build}/js-integrations/HubSpot.min.js": self._rudderstack_script("HubSpot.min.js"),
            "/libs/{file}": self._amplitude_script,
            "/files/{file}": self._renamed,
        }
        return [
            Route(
                p,
                self._open(h),
                methods=["GET", "HEAD", "OPTIONS", *(["POST"] if p == "/v1/capture" else [])],
            )
            for p, h in paths.items()
        ]

    def _open(self, handler: Handler) -> Handler:
        """The handler with CORS, and preflights answered."""

        async def handle(request: Request) -> Response:
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=self._edge.cors(request.headers))
            response = await handler(request)
            vary = response.headers.get("vary", "Origin, Accept-Encoding")
            response.headers.update(self._edge.cors(request.headers))
            response.headers["Vary"] = vary
            return response

        return handle

    # --- settings ----------------------------------------------------------------------------------------------------

    async def _segment(self, request: Request) -> Response:
        return _document(request, self._segment_settings(request))

    def _segment_settings(self, request: Request) -> dict[str, Any]:
        key = request.path_params["key"]
        at = self._address(request)
        return settings.segment(
            self._workspace(),
            self._source(request, key),
            key,
            at,
            lambda whole: self._plugin_url(at, _WHOLE if whole else _PLUGIN),
            self._events,
        )

    async def _rudderstack(self, request: Request) -> Response:
        """The source's configuration; the SDK's probe for ad blockers asks with `?view=ad`."""
        query = request.query_params
        if query.get("view") == "ad":
            return Response(headers={"Cache-Control": "no-store"})
        key = query.get("writeKey") or self._edge.header_key(request.headers) or ""
        bundle = self._assets.named("HubSpot.min.js") is not None
        document = settings.rudderstack(
            self._workspace(), self._source(request, key), key, self._events, bundle=bundle
        )
        response = _document(request, document)
        response.headers["Vary"] = "Origin, Accept-Encoding, Authorization"
        return response

    async def _amplitude(self, request: Request) -> Response:
        return _document(request, settings.amplitude())

    async def _capture(self, _request: Request) -> Response:
        """Amplitude's diagnostics of itself: nobody's business, answered so that the SDK is content."""
        return Response(status_code=200, headers={"Cache-Control": "no-store"})

    def _source(self, request: Request, key: str) -> Source | None:
        """The source of a key, for a page that it takes events of."""
        source = self._workspace().source_of_key(key)
        return source if self._edge.allow(request.headers.get("origin"), source) else None

    def _address(self, request: Request) -> Address:
        """How this page reaches us. A proxy's word on scheme and host counts as its word on addresses does."""
        given = self._workspace().settings
        host, scheme = request.headers.get("host", ""), request.url.scheme
        if request.client and request.client.host in (given.get("trusted_proxies") or ()):
            host = request.headers.get("x-forwarded-host", host).split(",")[0].strip()
            said = request.headers.get("x-forwarded-proto", scheme).split(",")[0].strip().lower()
            scheme = said if said in {"http", "https"} else scheme
        return settings.address(given, f"{scheme}://{host if _HOST.match(host) else 'localhost'}")

    def _plugin_url(self, at: Address, plugin: str) -> str | None:
        """Where Analytics.js finds a plugin; None when it was not built."""
        asset = self._assets.named(f"{plugin}.js")
        if asset is None:
            return None
        renamed = self._names().get(f"{plugin}.js")
        if renamed:
            return f"{at.url}/files/{renamed}?v={asset.digest}"
        return f"{at.url}/next-integrations/actions/{_PLUGIN}/{asset.name}"

    def _names(self) -> Mapping[str, str]:
        """The names of files that are not their own: logical name → public name."""
        return self._workspace().settings.get("device_names") or {}

    # --- files -------------------------------------------------------------------------------------------------------

    def _script(self, logical: str) -> Handler:
        """A file whose path does not tell its content."""

        async def handle(request: Request) -> Response:
            return self._reply(request, self._assets.named(logical), SCRIPT_CACHE)

        return handle

    async def _analytics(self, request: Request) -> Response:
        """Analytics.js for a write key: it begins with what that key's pages will need."""
        asset = self._assets.named("analytics.min.js")
        if asset is not None:
            chunk = self._assets.starting(_RULES_CHUNK)
            rules = f"{self._address(request).url}/analytics-next/bundles/{chunk.name}" if chunk else None
            code = preloads(self._segment_settings(request), rules)
            asset = begun_with(asset, code) if code else asset
        return self._reply(request, asset, SCRIPT_CACHE)

    def _rudderstack_script(self, logical: str) -> Handler:
        async def handle(request: Request) -> Response:
            version, build = request.path_params["version"], request.path_params["build"]
            fits = _VERSION.match(version) and build in _BUILDS
            return self._reply(request, self._assets.named(logical) if fits else None, SCRIPT_CACHE)

        return handle

    async def _bundle(self, request: Request) -> Response:
        return self._reply(request, self._assets.file(request.path_params["file"]), IMMUTABLE)

    async def _plugin(self, request: Request) -> Response:
        """The plugin. Settings live a minute longer than an update: an older name gets what there is now."""
        folder, file = request.path_params["folder"], request.path_params["file"]
        whole = file.startswith(f"{_WHOLE}.")
        asset = self._assets.named(f"{_WHOLE if whole else _PLUGIN}.js")
        if asset is None or folder.rstrip("=") not in _PLUGIN_FOLDERS or not file.endswith(".js"):
            return self._reply(request, None, SCRIPT_CACHE)
        return self._reply(request, asset, IMMUTABLE if file == asset.name else SCRIPT_CACHE)

    async def _amplitude_script(self, request: Request) -> Response:
        fits = _AMPLITUDE.match(request.path_params["file"])
        return self._reply(request, self._assets.named("amplitude.min.js") if fits else None, SCRIPT_CACHE)

    async def _renamed(self, request: Request) -> Response:
        """A file under the name that the configuration gives it; with its digest in the query it is immutable."""
        names = {public: logical for logical, public in self._names().items()}
        asset = self._assets.named(names.get(request.path_params["file"], ""))
        fixed = asset is not None and request.query_params.get("v") == asset.digest
        return self._reply(request, asset, IMMUTABLE if fixed else SCRIPT_CACHE)

    def _reply(self, request: Request, asset: Asset | None, cache: str) -> Response:
        """The file, packed when the browser takes it; 503 when nothing was built, 404 when there is no such file."""
        if asset is not None:
            return _content(request, asset.body, asset.packed, asset.media_type, asset.digest, cache)
        if not self._assets.built:
            message = (
                "the browser files were not built: run `make browser`, or install a wheel built with Node"
            )
            return _problem(503, "assets_missing", message)
        return _problem(404, "not_found", "there is no such file")


def _document(request: Request, document: Any) -> Response:
    """A settings document."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    digest = blake2b(body, digest_size=12).hexdigest()
    return _content(request, body, None, "application/json", digest, SETTINGS_CACHE)


def _content(
    request: Request, body: bytes, packed: bytes | None, media_type: str, digest: str, cache: str
) -> Response:
    """Content in the encoding that the client takes, or 304 when it has it."""
    headers = {"Cache-Control": cache, "Vary": "Origin, Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    squeeze = _takes_gzip(request.headers.get("accept-encoding", "")) and (
        packed is not None or len(body) > _WORTH_PACKING
    )
    headers["ETag"] = f'"{digest}-gz"' if squeeze else f'"{digest}"'
    known = {t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")}
    if headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    if squeeze:
        headers["Content-Encoding"] = "gzip"
        body = packed if packed is not None else gzip.compress(body, 6, mtime=0)
    return Response(body, media_type=media_type, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` allows gzip."""
    for word in accepted.lower().split(","):
        name, _, weight = word.partition(";")
        if name.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _problem(status: int, code: str, message: str) -> Response:
    body = json.dumps({"success": False, "code": code, "message": message})
    return Response(body, status, media_type="application/json", headers={"Cache-Control": "no-store"})
