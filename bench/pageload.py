"""What device mode costs a page on a slow link.

python bench/pageload.py [RUNS]

150 ms round trip, 1.6 Mbit/s, an empty cache. For Analytics.js and RudderStack's SDK: from the start of the navigation to
the first event request and to the page's `load`, without and with the plugin; medians, one JSON line per page.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from millstream.devicemode.snippets import install
from millstream.runtime.serve import ServerThread
from millstream.runtime.settings import Settings
from millstream.sandbox.app import Sandbox
from millstream.sandbox.config import SandboxConfig

CONFIG = """\
sources:
  - {{name: minimal, write_keys: [minimal-key]}}
  - {{name: device, write_keys: [device-key]}}
destinations:
  - name: hubspot
    sources: [device]
    connection: device
    preset: classic
    settings: {{portal_id: 20001, access_token: t, api_url: {url}, scripts_url: {url}, forms_url: {url}}}
"""
PAGE = "<!doctype html><html><head><meta charset=utf-8><link rel=icon href='data:,'><title>Home</title>{}</head>{}</html>"


def main():
    """Serve the pages and load them."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    pages = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = pages[self.path.strip("/")].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sandbox = Sandbox(SandboxConfig(token="t"))
        sandbox.start()
        (folder / "millstream.yaml").write_text(CONFIG.format(url=sandbox.url))
        settings = Settings(config=folder / "millstream.yaml", data_dir=folder / "data", port=0)
        thread = ServerThread(settings, {})
        url = thread.start()
        site = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        workspace = thread.server.parts.workspace
        for sdk in ("segment", "rudderstack"):
            for source in workspace.sources:
                snippet = install(workspace, source, url)["sdks"][sdk]["snippet"]
                pages[f"{sdk}-{source.name}"] = PAGE.format(snippet, "<p>Some words.</p>" * 100)
        base = f"http://localhost:{site.server_address[1]}"
        given = {
            "chromium": "/usr/bin/chromium",
            "runs": runs,
            "pages": {n: f"{base}/{n}" for n in pages},
        }
        script = str(Path(__file__).with_name("pageload.mjs"))
        subprocess.run(["node", script, json.dumps(given)], check=True, timeout=600)
        site.shutdown()
        thread.stop()
        sandbox.stop()


if __name__ == "__main__":
    main()
