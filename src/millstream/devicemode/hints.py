"""What a page needs after Analytics.js, asked for while Analytics.js starts: a round trip less for each of them. Pure.

Analytics.js asks for its settings, then for the plugin that they name, and that asks for HubSpot's script, one after the
other. Their addresses change with the configuration and with every update, so they stand in front of the script that
is served for a write key, and not in the snippet that lies in a page for years.
"""

from __future__ import annotations

import json
from typing import Any, Final

_PRELOAD: Final = """\
%s.forEach(function(u){var l=document.createElement("link");l.rel="preload";l.as="script";l.href=u;\
document.head.appendChild(l)});
"""


def preloads(document: dict[str, Any], rules: str | None) -> str:
    """The code for a source's settings document, empty when no plugin is in it.

    HubSpot's script is among them where it is loaded at once: without categories that a visitor must agree to.
    `rules`: the address of the SDK's chunk for routing rules, when it was built.
    """
    plugins = document["remotePlugins"]
    wanted = [plugin["url"] for plugin in plugins]
    wanted += [p["settings"]["scriptUrl"] for p in plugins if not p["settings"]["consentCategories"]]
    if rules is not None and document["middlewareSettings"]:
        wanted.append(rules)
    return _PRELOAD % json.dumps(list(dict.fromkeys(wanted)), separators=(",", ":")) if plugins else ""
