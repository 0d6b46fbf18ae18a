"""What to put into a page or an application, for each SDK: snippet and npm code of a source. Pure.

The loaders are ours and short; they keep the queues that the SDKs know, so an SDK's own snippet with another host does
as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from millstream.destinations.hubspot import web
from millstream.devicemode.settings import Address, address, device_destinations
from millstream.workspace.model import Source, Workspace

SDKS: Final = ("segment", "rudderstack", "amplitude")

_SEGMENT: Final = """\
<link rel="preload" as="fetch" crossorigin="anonymous" href=%(settings)s>
<script>
!function(w,d){var a=w.analytics=w.analytics||[];if(a.initialize||a.invoked)return;a.invoked=!0;a.SNIPPET_VERSION="5.2.1";
a._writeKey=%(key)s;a._cdn=%(url)s;
"trackSubmit trackClick trackLink trackForm pageview identify reset group track ready alias debug page screen once off on addSourceMiddleware addIntegrationMiddleware setAnonymousId addDestinationMiddleware register".split(" ").forEach(function(m){a[m]=function(){
if(w.analytics.initialized)return w.analytics[m].apply(w.analytics,arguments);
var c=[m].concat([].slice.call(arguments)),l=d.querySelector("link[rel='canonical']");
if(/^(track|screen|alias|group|page|identify)$/.test(m))c.push({__t:"bpc",c:l&&l.getAttribute("href")||void 0,p:location.pathname,u:location.href,s:location.search,t:d.title,r:d.referrer});
a.push(c);return a}});
a.load=function(k,o){a._loadOptions=o;var s=d.createElement("script");s.async=!0;s.setAttribute("data-global-segment-analytics-key","analytics");s.src=%(script)s;d.head.appendChild(s)};
a.load(%(key)s);a.page()}(window,document);
</script>"""
_SEGMENT_NPM: Final = """\
// npm install @segment/analytics-next
import { AnalyticsBrowser } from "@segment/analytics-next";

export const analytics = AnalyticsBrowser.load({ writeKey: %(key)s, cdnURL: %(url)s });
analytics.page();"""
_RUDDERSTACK: Final = """\
<script>
!function(w,d){if(w.rudderanalytics)return;var r=w.rudderanalytics=[];
"setDefaultInstanceKey load ready page track identify alias group reset setAnonymousId startSession endSession consent addCustomIntegration".split(" ").forEach(function(m){r[m]=function(){
var q=w.rudderanalytics;Array.isArray(q)?q.push([m].concat([].slice.call(arguments))):q[m].apply(q,arguments)}});
var s=d.createElement("script");s.async=!0;s.src=%(script)s;d.head.appendChild(s);
r.load(%(key)s,%(url)s,{configUrl:%(url)s,destSDKBaseURL:%(integrations)s});r.page()}(window,document);
</script>"""
_RUDDERSTACK_NPM: Final = """\
// npm install @rudderstack/analytics-js
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";

export const rudderanalytics = new RudderAnalytics();
rudderanalytics.load(%(key)s, %(url)s, {
  configUrl: %(url)s,
  destSDKBaseURL: %(integrations)s,
});
rudderanalytics.page();"""
_AMPLITUDE: Final = """\
<script src=%(script)s></script>
<script>
amplitude.init(%(key)s, { serverUrl: %(server)s, remoteConfig: { serverUrl: %(config)s }, enableDiagnostics: false });
</script>"""
_AMPLITUDE_NPM: Final = """\
// npm install @amplitude/analytics-browser
import * as amplitude from "@amplitude/analytics-browser";

amplitude.init(%(key)s, {
  serverUrl: %(server)s,
  remoteConfig: { serverUrl: %(config)s },
  enableDiagnostics: false,
});"""


def install(workspace: Workspace, source: Source, otherwise: str) -> dict[str, Any]:
    """Everything that an install page shows of a source; `otherwise`: the address when there is no `public_url`.

    Shape: `{source, write_key, enabled, url, csp, sdks: {segment | rudderstack | amplitude: {snippet, npm}}}`.
    """
    at = address(workspace.settings, otherwise)
    key = source.write_keys[0]
    names = workspace.settings.get("device_names") or {}
    return {
        "source": source.name,
        "write_key": key,
        "enabled": source.enabled,
        "url": at.url,
        "csp": content_security_policy(workspace, source, at),
        "sdks": {
            "segment": _code(
                _SEGMENT,
                _SEGMENT_NPM,
                at,
                key,
                script=_file(at, names, "analytics.min.js", f"/analytics.js/v1/{key}/analytics.min.js"),
                settings=f"{at.url}/v1/projects/{quote(key, safe='')}/settings",
            ),
            "rudderstack": _code(
                _RUDDERSTACK,
                _RUDDERSTACK_NPM,
                at,
                key,
                script=_file(at, names, "rsa.min.js", "/v3/modern/rsa.min.js"),
                integrations=f"{at.url}/v3/modern/js-integrations",
            ),
            "amplitude": _code(
                _AMPLITUDE,
                _AMPLITUDE_NPM,
                at,
                key,
                script=_file(at, names, "amplitude.min.js", "/libs/amplitude.min.js"),
                server=f"{at.url}/2/httpapi",
                config=f"{at.url}/config",
            ),
        },
    }


def content_security_policy(workspace: Workspace, source: Source, at: Address) -> str:
    """The directives that a page needs for us, and for HubSpot's scripts where it delivers by itself."""
    ours = at.url.split("/", 3)
    hosts = ["/".join(ours[:3])]
    devices = device_destinations(workspace, source)
    scripts, others = list(hosts), list(hosts)
    for destination in devices:
        told = web.plugin_settings(destination, None)
        wanted = [told["scriptUrl"], *([told["formsUrl"]] if told["loadFormsSDK"] else [])]
        scripts += [h for u in wanted if (h := "/".join(u.split("/", 3)[:3])) not in scripts]
    if devices:
        scripts += ["https://*.hs-analytics.net", "https://*.hs-banner.com", "https://*.hscollectedforms.net"]
        others += ["https://*.hubspot.com", "https://*.hubapi.com", "https://*.hsforms.com"]
        others += ["https://*.hscollectedforms.net", "https://*.hs-banner.com"]
    policy = f"script-src {' '.join(scripts)}; connect-src {' '.join(others)}"
    return f"{policy}; img-src https://*.hubspot.com https://*.hsforms.com" if devices else policy


def _file(at: Address, names: Mapping[str, str], logical: str, path: str) -> str:
    """The address of a file: under the name that the configuration gives it, else where its SDK looks."""
    return f"{at.url}/files/{names[logical]}" if logical in names else at.url + path


def _code(snippet: str, npm: str, at: Address, key: str, **addresses: str) -> dict[str, str]:
    """Snippet and npm code with their values, as JavaScript literals that cannot end a script element."""
    values = {k: _literal(v) for k, v in {"key": key, "url": at.url, **addresses}.items()}
    return {"snippet": snippet % values, "npm": npm % values}


def _literal(text: str) -> str:
    return json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
