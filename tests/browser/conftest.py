"""A portal, a server, a site of another origin with its SDK's snippet, and Chromium that visits it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import json
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from millstream.delivery.outcome import FINAL, Reason
from millstream.destinations.hubspot import web
from millstream.devicemode.assets import STATIC
from millstream.devicemode.snippets import install
from millstream.runtime.inspection import Inspection
from millstream.runtime.serve import ServerThread
from millstream.runtime.settings import Settings
from millstream.sandbox.app import Sandbox
from millstream.sandbox.config import SandboxConfig
from millstream.spec.timestamps import to_iso

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
# Longer than any machine takes for what is meant to happen: only what never happens is told by the clock.
PATIENCE_S = 120
KEY = "browser-key"
OTHER_KEY = "server-key"
TOKEN = "browser-token"
HUB = 20001

CONFIG = """\
sources:
  - name: web
    write_keys: [{key}]
{source}
  - name: server
    write_keys: [{other}]
destinations:
  - name: hubspot
    connection: device
    preset: {preset}
{destination}
    settings:
      portal_id: {hub}
      access_token: ${{TOKEN}}
      api_url: {sandbox}
      unknown_properties: create
      in_doubt_s: 0.5
      timeout_s: 60
{hosts}
{settings}
settings:
  public_url: {public}
{top}
"""
HOSTS = """\
      scripts_url: {scripts}
      forms_url: {forms}
"""
# What a page calls, in the words of each SDK. `identify` gives all of them the same contact.
# `SDK` is the object that a page has.
SDKS = {
    "segment": {
        "object": "analytics",
        "ready": "window.analytics && SDK.initialized || window.app && SDK.instance",
        "page": "SDK.page()",
        "identify": "SDK.identify('u1', {email: 'ada@example.com', firstname: 'Ada'})",
        "track": "SDK.track('%s', {total: 5})",
    },
    "rudderstack": {
        "object": "rudderanalytics",
        "ready": "SDK && !Array.isArray(SDK) && (SDK.__ready || SDK.ready(() => (SDK.__ready = true)), SDK.__ready)",
        "page": "SDK.page()",
        "identify": "SDK.identify('u1', {email: 'ada@example.com', firstname: 'Ada'})",
        "track": "SDK.track('%s', {total: 5})",
    },
    "amplitude": {
        "object": "amplitude",
        # It has its device id before it has a destination, and what is called in between is lost in it: wait for the
        # counter of page views, which comes after the destination and puts its own `pushState` over the browser's.
        "ready": "SDK && !!SDK.getDeviceId() && Object.hasOwn(history, 'pushState')",
        "page": "SDK.track('[Amplitude] Page Viewed')",
        "identify": "SDK.setUserId('u1-user'), SDK.identify("
        "new SDK.Identify().set('email', 'ada@example.com').set('firstname', 'Ada'))",
        "track": "SDK.track('%s', {total: 5})",
    },
}
DEVICE = ("segment", "rudderstack")
TAKEN = "window._hstc_ran === true"


def missing():
    """Why these tests cannot run here."""
    if not shutil.which("node"):
        return "node is not on this machine"
    if not (ROOT / "node_modules" / "playwright-core").exists():
        return "node_modules has no playwright-core: `make node_modules/.done`"
    if not Path(CHROMIUM).exists():
        return "chromium is not on this machine: `make chromium`"
    return None


@pytest.fixture(scope="session", autouse=True)
def built():
    """The files that browsers load, built once however many workers ask."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    with (Path(tempfile.gettempdir()) / "millstream-browser-build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        manifest = STATIC / "manifest.json"
        sources = [*(ROOT / "browser" / "src").glob("*.ts"), *(ROOT / "browser").glob("*.mjs")]
        newest = max(p.stat().st_mtime for p in sources)
        if not manifest.exists() or manifest.stat().st_mtime < newest:
            subprocess.run(["node", "browser/build.mjs"], cwd=ROOT, check=True, capture_output=True)


class Driver:
    """The program that drives Chromium."""

    def __init__(self):
        self._numbers = itertools.count(1)
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (as long as the process)
        self._process = subprocess.Popen(
            ["node", str(Path(__file__).with_name("drive.mjs")), CHROMIUM],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __call__(self, do, **given):
        """One command; its value."""
        number = next(self._numbers)
        self._process.stdin.write(json.dumps({"id": number, "do": do, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the browser's driver ended: {self._said()}"
        reply = json.loads(line)
        assert reply["id"] == number
        assert "error" not in reply, reply["error"]
        return reply["value"]

    def _said(self):
        self._log.seek(0)
        return self._log.read()[-4000:]

    def stop(self):
        """End it, and Chromium with it."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()
        self._log.close()


@pytest.fixture(scope="session")
def driver(built):  # noqa: ARG001  (the files first)
    """One Chromium for all tests of this process; each test has a profile of its own in it."""
    made = Driver()
    yield made
    made.stop()


class Pages:
    """A site: HTML by first part of the path, whatever follows it; and scripts that do not do what they should."""

    def __init__(self):
        self.html: dict[str, str] = {}
        self.nonce = "abc123"
        self.headers: dict[str, str] = {}
        self._held: dict[str, threading.Event] = {}
        self.files: dict[str, str] = {}
        self._over = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hold(self, path):
        """Leave whoever asks for this without an answer until what is returned is called."""
        self._held[path] = gate = threading.Event()
        return gate.set

    def answer(self, request):
        """One request."""
        path = urlsplit(request.path).path
        if path in self._held:
            self._held[path].wait(PATIENCE_S)
        first = path.split("/")[1]
        status, kind, body = 200, "text/html", self.html.get(first)
        if path in self.files:
            kind, body = "text/javascript", self.files[path]
        elif first == "empty":
            kind, body = "text/javascript", ""
        elif first == "hanging":
            self._over.wait(PATIENCE_S)
            return
        elif body is None:
            status, body = 404, "not here"
        raw = body.encode()
        with contextlib.suppress(OSError):
            request.send_response(status)
            request.send_header("Content-Type", f"{kind}; charset=utf-8")
            request.send_header("Content-Length", str(len(raw)))
            for name, value in self.headers.items() if kind == "text/html" else ():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(raw)

    def stop(self):
        """Close; whoever hangs is let go."""
        for gate in (self._over, *self._held.values()):
            gate.set()
        self.server.shutdown()
        self.server.server_close()


class Tls:
    """TLS ports in front of plain ones."""

    def __init__(self, plain, certificate):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._plain = plain
        self.ports: list[int] = []
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run(started)))
        self._thread.start()
        started.wait(PATIENCE_S)

    async def _run(self, started):
        self._over = asyncio.Event()
        servers = []
        for port in self._plain:

            async def serve(reader, writer, port=port):
                await self._serve(reader, writer, port)

            servers.append(await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self._context))
            self.ports.append(servers[-1].sockets[0].getsockname()[1])
        started.set()
        await self._over.wait()
        for server in servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)  # transports close in the loop's next rounds

    async def _serve(self, reader, writer, port):
        writers = [writer]
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                back, forth = await asyncio.open_connection("127.0.0.1", port)
                writers.append(forth)
                await asyncio.gather(_copy(reader, forth), _copy(back, writer))
        finally:
            for each in writers:
                each.transport.abort()

    def stop(self):
        """Take no more, and drop what there is."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE_S)
        self._loop.close()


async def _copy(source, sink):
    with contextlib.suppress(OSError):
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()
        sink.close()


class Site:
    """Everything of one test. `given`: further lines of the configuration, by place."""

    def __init__(self, folder, driver, *, https=False, options=None, token=TOKEN, portal=None, **given):
        self._stop: list = []
        self.env = {"TOKEN": token}
        self._driver = driver
        self.folder = folder
        self.sandbox = Sandbox(SandboxConfig(token=token, portal_id=HUB, **(portal or {})))
        self.sandbox.start()
        self._stop.append(self.sandbox.stop)
        self.pages = Pages()
        self._stop.append(self.pages.stop)
        config = folder / "millstream.yaml"
        self.settings = Settings(config=config, data_dir=folder / "data", port=0)
        self.public, self.given = "http://127.0.0.1:1", given
        self.origin, self.tracker = f"http://localhost:{self.pages.port}", self.sandbox.url
        self._write()
        self.thread = ServerThread(self.settings, self.env)
        self.url = self.public = self.thread.start()
        self._stop.append(self.thread.stop)
        if https:
            self._secure(folder)
        self.configure()
        # The workspace's own schema is read with the first event of all.
        self.context = f"{folder}"
        self._names = itertools.count(1)
        self._driver("context", context=self.context, options={"ignoreHTTPSErrors": https, **(options or {})})
        self._stop.append(lambda: self._driver("over", context=self.context))
        self.allowed = {urlsplit(u).netloc for u in (self.origin, self.public, self.tracker)}

    def configure(self, **given):
        """Take another configuration."""
        self.given |= given
        self._write()
        loop = self.thread.server._loop
        taken = asyncio.run_coroutine_threadsafe(self.thread.server.reload(), loop).result(PATIENCE_S)
        assert taken["reloaded"], taken
        self.install = install(self.thread.server.parts.workspace, self._source(), self.public)
        for sdk, code in self.install["sdks"].items():
            self.pages.html[sdk] = document(code["snippet"])

    def bundle(self, sdk):
        """The printed npm code as the script of a page: `/{sdk}-npm`."""
        code = self.install["sdks"][sdk]["npm"]
        if sdk == "amplitude":
            code += "\nexport { amplitude };"
        self.pages.files[f"/{sdk}.bundle.js"] = self._driver("bundle", code=code, folder=str(ROOT))
        self.pages.html[f"{sdk}-npm"] = document("", f'<script src="/{sdk}.bundle.js"></script>')

    def script(self):
        """HubSpot's script as another host serves it; it still reports to the portal."""
        text = self.get("/20001.js")
        own = "document.currentScript ? document.currentScript.src : location.href"
        assert own in text
        return text.replace(own, json.dumps(self.tracker))

    def policy(self, csp, *more):
        """Pages with a strict Content-Security-Policy: what is printed, a nonce for what stands in the page itself."""
        given = dict(d.strip().split(" ", 1) for d in csp.split(";"))
        given["script-src"] += f" 'nonce-{self.pages.nonce}'"
        for directive in more:
            name, _, source = directive.partition(" ")
            given[name] = f"{given.get(name, '')} {source}"
        text = "; ".join(["default-src 'none'", *(f"{k} {v}" for k, v in given.items())])
        self.pages.headers["Content-Security-Policy"] = text
        self.pages.html = {
            k: v.replace("<script", f'<script nonce="{self.pages.nonce}"') for k, v in self.pages.html.items()
        }

    def consenting(self, sdk, **choice):
        """A tab on a page whose visitor has chosen: the snippet's page call says so."""
        self._choice = json.dumps({"context": {"consent": {"categoryPreferences": choice}}})
        snippet = self.install["sdks"][sdk]["snippet"]
        changed = snippet.replace(".page()", f".page({{}}, {self._choice})")
        assert changed != snippet
        self.pages.html[f"{sdk}-consent"] = document(changed)
        return self.visit(f"/{sdk}-consent/home")

    def managed(self, allowed, denied):
        """A tab on a page whose RudderStack SDK was told of consent: it repeats it on every event."""
        options = {"enabled": True, "provider": "custom"}
        options |= {"allowedConsentIds": allowed, "deniedConsentIds": denied}
        snippet = self.install["sdks"]["rudderstack"]["snippet"]
        changed = snippet.replace("{configUrl:", f"{{consentManagement:{json.dumps(options)},configUrl:")
        assert changed != snippet
        self.pages.html["rudderstack-managed"] = document(changed)
        return self.visit("/rudderstack-managed/home")

    def with_consent(self, tab, what, *arguments):
        """A call with the visitor's choice."""
        tab.run(f"void ({tab.words(what, *arguments).removesuffix(')')}, {self._choice}))")

    def _source(self):
        return next(s for s in self.thread.server.parts.workspace.sources if s.name == "web")

    def _write(self):
        given = {
            "source": "",
            "destination": "",
            "settings": "",
            "top": "",
            "preset": "classic",
            **self.given,
        }
        scripts = given.pop("scripts", "{tracker}").format(tracker=self.tracker, site=self.origin)
        given.setdefault("hosts", HOSTS.format(scripts=scripts, forms=self.tracker))
        text = CONFIG.format(
            key=KEY, other=OTHER_KEY, hub=HUB, sandbox=self.sandbox.url, public=self.public, **given
        )
        self.settings.config.write_text(text)

    def _secure(self, folder):
        if not shutil.which("openssl"):
            pytest.skip("openssl is not on this machine")
        file = folder / "certificate.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-nodes", "-keyout", str(folder / "key.pem"), "-out", str(file), "-days", "2"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            ],
            check=True,
            capture_output=True,
        )
        file.write_text(file.read_text() + (folder / "key.pem").read_text())
        tls = Tls([self.pages.port, urlsplit(self.url).port, urlsplit(self.sandbox.url).port], file)
        self._stop.append(tls.stop)
        self.origin = f"https://localhost:{tls.ports[0]}"
        self.public, self.tracker = (f"https://127.0.0.1:{p}" for p in tls.ports[1:])

    # --- the visitor -------------------------------------------------------------------------------------------------

    def visit(self, path, *, until="load"):
        """A new tab on a page of the site."""
        page = f"{self.context}:{next(self._names)}"
        self._driver("page", context=self.context, page=page)
        tab = Tab(self._driver, page, path.split("/")[1], self.origin)
        tab.goto(path, until=until)
        return tab

    def offline(self, on):
        """Pull the plug, or put it back."""
        self._driver("offline", context=self.context, on=on)

    def do(self, command, **given):
        """A command of the driver for this visitor."""
        return self._driver(command, context=self.context, **given)

    @property
    def requests(self):
        """All requests of all tabs."""
        return self.do("seen")["requests"]

    @property
    def told(self):
        """What `_hsq` was given in all tabs: calls."""
        return [call for _, call in self.do("seen")["took"]]

    def calls(self, *names):
        """The calls of these names that `_hsq` was given."""
        return [call for call in self.told if isinstance(call, list) and call[0] in names]

    @property
    def errors(self):
        """What pages complained of."""
        return self.do("seen")["errors"]

    def foreign(self):
        """Requests to anybody but the site, the server and the portal."""
        return [
            r["url"]
            for r in self.requests
            if urlsplit(r["url"]).netloc not in self.allowed
            and urlsplit(r["url"]).scheme in {"http", "https", "ws"}
        ]

    # --- what came of it ---------------------------------------------------------------------------------------------

    def define(self, *labels, properties=("total",)):
        """Event definitions that the portal has, and that the server knows of."""
        for label in labels:
            body = {
                "label": label,
                "name": label.lower().replace(" ", "_"),
                "primaryObject": "CONTACT",
                "propertyDefinitions": [{"name": p, "label": p, "type": "string"} for p in properties],
            }
            self.api("POST", "/events/v3/event-definitions", body)
        self.teach(*labels)

    def teach(self, *labels):
        """Let the server read the portal, by an event of nobody's page, until it knows these definitions."""
        self.api_server({"type": "identify", "userId": "reader", "traits": {"email": "reader@example.com"}})
        self.wait(
            lambda: set(map(str.lower, labels)) <= set(self.known()), "the server knows the definitions"
        )
        self.wait(lambda: self.contact("reader@example.com"), "the server has read the portal")

    @staticmethod
    def wait(found, what="it"):
        """Poll until there is something."""
        return wait(found, what)

    def known(self):
        """The events that pages may deliver."""
        return self.thread.server.parts._known_events("hubspot")

    def api(self, method, path, body=None):
        """One call of the portal's API."""
        request = urllib.request.Request(
            self.sandbox.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.env['TOKEN']}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.loads(answer.read() or b"null")

    def get(self, path):
        """A file of the portal."""
        with urllib.request.urlopen(self.sandbox.url + path, timeout=PATIENCE_S) as answer:
            return answer.read().decode()

    def api_server(self, event):
        """One event of a server."""
        body = json.dumps({"writeKey": OTHER_KEY, "batch": [event]}).encode()
        request = urllib.request.Request(
            f"{self.url}/v1/batch", body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            assert answer.status == 200

    @contextlib.contextmanager
    def used_up(self, sdk):
        """Somebody else sends with the page's key whatever its limit allows: nothing is left for the page."""
        over = threading.Event()
        path, body = "/v1/batch", {"writeKey": KEY, "batch": [{}]}
        if sdk == "amplitude":
            path, body = "/2/httpapi", {"api_key": KEY, "events": [{}]}
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )

        def send():
            while not over.wait(0.02):
                with contextlib.suppress(urllib.error.HTTPError):
                    urllib.request.urlopen(request, timeout=PATIENCE_S).close()

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def arrived(self):
        """The events of the web source: the log's, with `outcome` (state, reason) and `receipt`; repetitions left out."""
        found = []
        with Inspection(self.settings, self.env) as look:
            offset, end = look._log.bounds().start, look._log.bounds().end
            while offset < end:
                for block in look._log.read(offset, 1000):
                    for at in range(max(offset, block.base), block.end):
                        body = json.loads(block.bodies[at - block.base])
                        if block.sources[at - block.base] != "web" or "messageId" not in body:
                            continue
                        outcomes = look._state.deliveries.outcomes("hubspot", at)
                        worst = max(outcomes, key=lambda o: o.state) if outcomes else None
                        if worst is not None and worst.reason == Reason.DUPLICATE:
                            continue
                        receipt = (body.get("context") or {}).get("millstream") or {}
                        found.append(
                            {
                                **body,
                                "what": body.get("event") or body["type"],
                                "outcome": worst and (worst.state.name.lower(), worst.reason.value),
                                "final": worst is not None and worst.state in FINAL,
                                "receipt": receipt.get("delivered") == ["hubspot"],
                                "received": to_iso(block.received_ms[at - block.base]),
                            }
                        )
                    offset = max(offset, block.end)
        return found

    def settled(self, expected, *, exactly=True):
        """The web source's events by name once so many are there and decided: exactly these, each once.

        What a page says that it delivered is on its way to the portal by itself: that is waited for too.
        """
        expected = Counter(expected)
        portal = self.sandbox.portal

        def there():
            found = self.arrived()
            names = Counter(e["what"] for e in found)
            paged = Counter(e["type"] for e in found if e["receipt"])
            served = sum(e["type"] == "track" and e["outcome"] == ("delivered", "ok") for e in found)
            return (
                not expected - names
                and all(e["final"] for e in found)
                and len(portal.page_views) >= paged["page"]
                and len(portal.occurrences) >= paged["track"] + served
            )

        wait(there, lambda: f"{expected}; there: {self.summary()}")
        self.rest()
        found = self.arrived()
        assert not exactly or Counter(e["what"] for e in found) == expected, self.summary()
        assert len({e["messageId"] for e in found}) == len(found), self.summary()
        return found

    def rest(self, quiet_s=0.4):
        """Wait until nothing has come in for a while: what would come twice has come by then."""

        def size():
            portal = self.sandbox.portal
            return (
                self.thread.server.parts._log.bounds().end,
                len(portal.page_views),
                len(portal.occurrences),
                len(self.requests),
            )

        last, since = size(), time.monotonic()
        end = since + 15
        while time.monotonic() - since < quiet_s and time.monotonic() < end:
            time.sleep(0.05)
            if (now := size()) != last:
                last, since = now, time.monotonic()

    def summary(self):
        """For messages: what arrived, what the portal has, what was said to `_hsq`."""
        events = [(e["what"], e["outcome"], e["receipt"]) for e in self.arrived()]
        failed = [(r["url"], r.get("status")) for r in self.requests if r.get("status", 0) >= 400]
        return json.dumps(
            {
                "arrived": events,
                "views": self.views(),
                "occurrences": self.occurrences(),
                "told": self.told,
                "errors": self.errors,
                "failed": failed,
            },
            indent=1,
        )

    def views(self):
        """The paths of the portal's page views."""
        found = [urlsplit(v["url"]) for v in self.sandbox.portal.page_views]
        return sorted(v.path for v in found)

    def occurrences(self):
        """The short names of the portal's occurrences, with the contact's address and whether a page sent it."""
        portal = self.sandbox.portal
        found = []
        for o in portal.occurrences:
            record = portal.type("contacts").find(str(o["objectId"]), None) if o["objectId"] else None
            email = record.values.get("email") if record else o["email"]
            found.append((o["eventName"].removeprefix(f"pe{HUB}_"), email))
        return sorted(found, key=str)

    def contact(self, email="ada@example.com"):
        """The values of the portal's contact."""
        found = self.sandbox.portal.type("contacts").find(email, "email")
        return found and dict(found.values)

    def contacts(self):
        """The addresses of all contacts."""
        found = self.sandbox.portal.type("contacts").by_id.values()
        return sorted(r.values.get("email", "") for r in found if not r.archived)

    def stop(self):
        """Stop everything, in the reverse order."""
        for each in reversed(self._stop):
            each()


class Tab:
    """A tab: what its visitor does. `sdk` says in whose words."""

    def __init__(self, driver, page, sdk, origin):
        self._driver, self._page, self._origin = driver, page, origin
        self.sdk = sdk.partition("-")[0]
        self.object = ("app." if sdk.endswith("-npm") else "window.") + SDKS.get(self.sdk, {}).get(
            "object", ""
        )

    def goto(self, path, *, until="load"):
        """Open a page of the site."""
        self._driver("goto", page=self._page, url=self._origin + path, until=until)

    def run(self, code):
        """JavaScript; its value, awaited."""
        return self._driver("evaluate", page=self._page, code=code)

    def wait(self, code):
        """Until JavaScript says yes."""
        self._driver("wait", page=self._page, code=code, timeout=PATIENCE_S * 1000)

    def words(self, what, *arguments):
        """`page`, `identify` or `track` as an expression of the SDK."""
        code = SDKS[self.sdk][what].replace("SDK", self.object)
        return code % arguments if arguments else code

    def ready(self, *, taken=True):
        """Until the SDK is there, and HubSpot's script has taken over."""
        self.wait(self.words("ready"))
        if taken and self.sdk in DEVICE:
            self.wait(TAKEN)

    def call(self, what, *arguments):
        """`page`, `identify` or `track`; not awaited."""
        self.run(f"void ({self.words(what, *arguments)})")

    def took_ms(self, code):
        """How long a promise takes, in milliseconds; 30,000 when it does not resolve.

        In the page's own time, by a timer of 50 ms: what the machine keeps from the page is not the page's delay.
        """
        return self.run(
            f"(async () => {{ let took = 0; const over = new Promise((done) => setInterval("
            f"() => (took += 50) < 30000 || done(), 50)); await Promise.race([{code}, over]); return took }})()"
        )

    def virtual(self, path):
        """A single-page application goes on: another address, then a page call."""
        self.run(f"history.pushState({{}}, '', {json.dumps(path)}), document.title = {json.dumps(path)}, 0")
        self.call("page")

    def expire(self):
        """What the browser has cached expires."""
        self._driver("expire", context=self._page.rpartition(":")[0], page=self._page)

    def leave(self):
        """Close the tab."""
        self._driver("leave", page=self._page)


def document(head, body=""):
    """A page."""
    return f"<!doctype html><html><head><meta charset=utf-8><link rel=icon href='data:,'><title>Home</title>{head}</head><body>{body}</body></html>"


def wait(found, what="it"):
    """Poll until there is something; it."""
    end = time.monotonic() + PATIENCE_S
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < end, f"not in time: {what() if callable(what) else what}"
        time.sleep(0.05)


@pytest.fixture
def site(tmp_path, driver, monkeypatch):
    """Makes a running site: `site(settings="      load_forms_sdk: true", …)`. Nobody foreign may have been asked.

    A page waits for HubSpot's script as long as it takes; with `gives_up` as long as it does for everybody.
    """
    made: list[Site] = []

    def make(*, gives_up=False, **given):
        if not gives_up:
            monkeypatch.setattr(web, "READY_TIMEOUT_MS", PATIENCE_S * 1000)
        folder = tmp_path / f"site{len(made)}"
        folder.mkdir()
        found = Site(folder, driver, **given)
        made.append(found)
        return found

    yield make
    try:
        for found in made:
            assert not found.foreign()
    finally:
        for found in made:
            found.stop()
