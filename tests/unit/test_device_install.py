"""Device mode from configuration to page: settings that are checked, snippets, the mounted server, the wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from millstream.cli import main
from millstream.destinations.catalog import DestinationCatalog
from millstream.devicemode.snippets import SDKS, install
from millstream.runtime.serve import ServerThread
from millstream.runtime.settings import Settings
from millstream.workspace.load import load
from millstream.workspace.model import Destination, Source, Workspace

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = """\
sources:
  - name: web
    write_keys: [WK]
  - name: old
    write_keys: [OLD]
    enabled: false
destinations:
  - name: crm
    connection: device
    settings: {portal_id: 123, access_token: "${TOKEN:-t}", api_url: "http://127.0.0.1:9"}
settings:
  public_url: https://cdp.example.com
  device_prefix: /t
"""


@pytest.fixture
def config(tmp_path):
    """A configuration file with a device destination."""
    path = tmp_path / "millstream.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("public_url: cdp.example.com", "settings.public_url"),
        ('public_url: "https://cdp.example.com/?a"', "settings.public_url"),
        ("device_prefix: t", "settings.device_prefix"),
        ("device_prefix: /t/", "settings.device_prefix"),
        ("device_prefix: /../x", "settings.device_prefix"),
        ("device_names: {analytics.js: a.js}", "settings.device_names.analytics.js"),
        ("device_names: {rsa.min.js: ../a.js}", "settings.device_names.rsa.min.js"),
        ("device_names: {rsa.min.js: 1}", "settings.device_names.rsa.min.js"),
        ("device_names: {rsa.min.js: a.js, analytics.min.js: a.js}", "settings.device_names"),
        ("device_batching: often", "settings.device_batching"),
    ],
)
def test_settings_that_would_break_addresses_are_refused(line, path):
    """Each problem names its key."""
    text = f"sources: [{{name: web, write_key: k}}]\nsettings:\n  {line}\n"
    assert [p.problem.path for p in load(text, {}, DestinationCatalog()).problems] == [path]


def test_settings_of_device_mode_load(config):
    """What the documentation shows has no problems but the token in plain text."""
    names = "  device_names: {analytics.min.js: shop.js, hubspot-web.js: ui.js}\n  device_batching: true\n"
    loaded = load(config.read_text() + names, {}, DestinationCatalog())
    assert loaded.problems == []
    assert loaded.workspace.settings["device_names"]["hubspot-web.js"] == "ui.js"


# --- snippets --------------------------------------------------------------------------------------------------------


def made(**settings):
    """The install page's data of a source."""
    device = Destination(
        "crm", "hubspot", connection="device", settings={"portal_id": "1", "access_token": "t"}
    )
    source = Source("web", ("WK", "WK2"))
    return install(Workspace((source,), (device,), settings), source, "http://127.0.0.1:8080")


def test_every_sdk_gets_snippet_and_npm_code():
    """With the first write key and our address, and no vendor's host."""
    found = made(public_url="https://cdp.example.com/")
    assert tuple(found["sdks"]) == SDKS
    for code in found["sdks"].values():
        for text in code.values():
            assert '"WK"' in text
            assert set(re.findall(r"https?://([^/\"]+)", text)) == {"cdp.example.com"}


def test_addresses_are_those_that_the_sdks_ask():
    """Host, script and integration paths; with plain http Analytics.js needs `_cdn`, so it is always there."""
    sdks = made()["sdks"]
    assert 'a._cdn="http://127.0.0.1:8080"' in sdks["segment"]["snippet"]
    assert '"http://127.0.0.1:8080/analytics.js/v1/WK/analytics.min.js"' in sdks["segment"]["snippet"]
    assert 'cdnURL: "http://127.0.0.1:8080"' in sdks["segment"]["npm"]
    assert '"http://127.0.0.1:8080/v3/modern/js-integrations"' in sdks["rudderstack"]["npm"]
    assert 'serverUrl: "http://127.0.0.1:8080/2/httpapi"' in sdks["amplitude"]["npm"]


def test_prefix_and_names_are_in_the_snippets():
    """What an ad blocker knows is not there."""
    names = {"analytics.min.js": "shop.js", "rsa.min.js": "r.js", "amplitude.min.js": "m.js"}
    found = made(public_url="https://cdp.example.com", device_prefix="/t", device_names=names)
    for sdk, name in zip(SDKS, names.values(), strict=True):
        assert f'"https://cdp.example.com/t/files/{name}"' in found["sdks"][sdk]["snippet"]


def test_the_settings_are_asked_for_with_the_script():
    """Their address stays as it is over every update, so the snippet may name it; as `fetch` asks for it."""
    for more in ({}, {"device_prefix": "/t"}):
        found = made(public_url="https://cdp.example.com", **more)["sdks"]["segment"]["snippet"]
        url = f"https://cdp.example.com{more.get('device_prefix', '')}/v1/projects/WK/settings"
        assert found.startswith(
            f'<link rel="preload" as="fetch" crossorigin="anonymous" href="{url}">\n<script>'
        )


def test_values_cannot_end_the_script():
    """A key is any text: it stays a string of the script, and a part of the address in the link."""
    source = Source("web", ('</script><b>"&',))
    found = install(Workspace((source,), (), {}), source, "http://h")
    assert "</script><b>" not in found["sdks"]["segment"]["snippet"]
    assert found["sdks"]["segment"]["snippet"].count("</script>") == 1
    link = found["sdks"]["segment"]["snippet"].partition("<script>")[0]
    assert link.endswith('href="http://h/v1/projects/%3C%2Fscript%3E%3Cb%3E%22%26/settings">\n')


def test_the_policy_names_hubspot_only_in_device_mode():
    """Scheme and host of every script that the page loads."""
    found = made(public_url="https://cdp.example.com", device_prefix="/t")
    assert found["csp"].startswith("script-src https://cdp.example.com https://js.hs-scripts.com ")
    source = Source("web", ("WK",))
    cloud = install(Workspace((source,), (), {}), source, "http://h:1")["csp"]
    assert cloud == "script-src http://h:1; connect-src http://h:1"


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_snippets_are_javascript(tmp_path):
    """Node reads every snippet; the loaders queue calls and ask for our script."""
    for sdk, code in made()["sdks"].items():
        for i, body in enumerate(re.findall(r"<script[^>]*>([^<]+)</script>", code["snippet"])):
            page = tmp_path / f"{sdk}{i}.js"
            page.write_text(f"{_PAGE}\n{body}\nconsole.log(JSON.stringify([document.asked,queued()]))")
            ran = subprocess.run(["node", str(page)], check=True, capture_output=True, text=True)
            asked, queued = json.loads(ran.stdout)
            if sdk == "amplitude":
                assert queued == ["init"]
            else:
                assert asked[0].startswith("http://127.0.0.1:8080/")
                assert queued == (["page"] if sdk == "segment" else ["load", "page"])
        module = tmp_path / f"{sdk}.mjs"
        module.write_text(code["npm"])
        subprocess.run(["node", "--check", str(module)], check=True, capture_output=True)


_PAGE = """\
var window=globalThis,location={pathname:"/",href:"",search:""},amplitude={q:[],init:function(){this.q.push(["init"])}};
var document={title:"",referrer:"",asked:[],querySelector:function(){},
createElement:function(){return{setAttribute:function(){}}},head:{appendChild:function(s){document.asked.push(s.src)}}};
function queued(){var a=window.analytics||window.rudderanalytics||amplitude.q;return[].slice.call(a).map(function(c){return c[0]})}
"""


# --- the command and the server --------------------------------------------------------------------------------------


def command(capsys, *words):
    """Run a command; its exit code and what it wrote."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def test_snippet_as_json(capsys, config):
    """All SDKs, or the one that is asked for."""
    code, out, _ = command(capsys, "snippet", "web", "--config", str(config), "--json")
    assert code == 0
    assert json.loads(out)["url"] == "https://cdp.example.com/t"
    _, out, _ = command(capsys, "snippet", "web", "--sdk", "amplitude", "--config", str(config), "--json")
    assert list(json.loads(out)["sdks"]) == ["amplitude"]


def test_snippet_for_a_person(capsys, config, monkeypatch):
    """Code comes out as it is, however narrow the terminal; a disabled source is told."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    code, out, _ = command(capsys, "snippet", "old", "--config", str(config))
    assert code == 0
    assert "disabled" in out
    assert 'serverUrl: "https://cdp.example.com/t/2/httpapi"' in out
    assert 'a.load("OLD");a.page()}(window,document);\n</script>' in out


def test_snippet_of_an_unknown_source(capsys, config, tmp_path):
    """The known ones are named; without a file the command says how to get one."""
    code, _, err = command(capsys, "snippet", "nope", "--config", str(config))
    assert code == 1
    assert "web, old" in " ".join(err.split())
    code, _, err = command(capsys, "snippet", "web", "--config", str(tmp_path / "none.yaml"))
    assert code == 1
    assert "millstream init" in " ".join(err.split())


def fetch(url, data=None, headers=None):
    """Status and body."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers or {}), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_server_serves_device_mode(config, tmp_path):
    """On the public port, plain and under the prefix, events too; what operators ask is on theirs alone."""
    settings = Settings(config=config, data_dir=tmp_path / "data", port=0, ops_port=0)
    server = ServerThread(settings, {})
    url = server.start()
    ops = f"http://127.0.0.1:{server.server.ports['ops']}"
    try:
        for base in (url, f"{url}/t"):
            status, body = fetch(f"{base}/v1/projects/WK/settings")
            assert (status, json.loads(body)["metrics"]["host"]) == (200, "cdp.example.com/t/v1")
            event = json.dumps({"type": "track", "event": "E", "userId": "u", "writeKey": "WK"}).encode()
            assert fetch(f"{base}/v1/t", event)[0] == 200
            assert fetch(f"{base}/install/web.json")[0] == 404
            assert fetch(f"{base}/metrics")[0] == 404
        assert json.loads(fetch(f"{ops}/install/web.json")[1])["write_key"] == "WK"
        assert fetch(f"{ops}/install/nope.json")[0] == 404
        assert fetch(f"{ops}/healthz")[0] == 200
    finally:
        server.stop()


def test_the_prefix_shows_nothing_of_operators(config, tmp_path):
    """With one port, health and metrics are at their own paths and not under the prefix."""
    server = ServerThread(Settings(config=config, data_dir=tmp_path / "data", port=0), {})
    url = server.start()
    try:
        assert fetch(f"{url}/metrics")[0] == 200
        assert fetch(f"{url}/t/metrics")[0] == 404
        assert fetch(f"{url}/install/web.json")[0] == 404
    finally:
        server.stop()


# --- the wheel -------------------------------------------------------------------------------------------------------


def wheel(tmp_path, path, **env):
    """What a wheel of this tree holds, built with these programs on the path; and what the build said."""
    tree = tmp_path / "tree"
    if not tree.exists():
        tree.mkdir()
        for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
            shutil.copy(ROOT / name, tree / name)
        package = tree / "src" / "millstream"
        (package / "devicemode").mkdir(parents=True)
        shutil.copy(ROOT / "src" / "millstream" / "__init__.py", package)
        (tree / "browser").mkdir()
        (tree / "browser" / "build.mjs").write_text("// stands for the build")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    environment = (
        {k: v for k, v in os.environ.items() if k != "MILLSTREAM_BROWSER"} | {"PATH": str(path)} | env
    )
    ran = subprocess.run(build, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        return None, ran.stdout + ran.stderr
    found = next((tmp_path / "dist").glob("*.whl"))
    return [n for n in zipfile.ZipFile(found).namelist() if "/static/" in n], ran.stdout + ran.stderr


@pytest.fixture
def programs(tmp_path):
    """A path with a `node` and an `npm` that make what the build would make."""
    folder = tmp_path / "bin"
    folder.mkdir()
    static = "src/millstream/devicemode/static"
    for name, script in (
        ("node", f"/bin/mkdir -p {static} && echo '{{}}' > {static}/manifest.json && echo x > {static}/a.js"),
        ("npm", "/bin/mkdir -p node_modules"),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def test_a_wheel_built_with_node_has_the_browser_files(tmp_path, programs):
    """The build runs; what they made is in the wheel though no repository holds it."""
    found, _ = wheel(tmp_path, programs)
    assert sorted(n.rsplit("/", 1)[1] for n in found) == ["a.js", "manifest.json"]


def test_a_wheel_built_without_node_lacks_them(tmp_path):
    """It is built all the same, and says what will be missing; a release insists."""
    empty = tmp_path / "empty"
    empty.mkdir()
    found, said = wheel(tmp_path, empty)
    assert found == []
    assert "503" in said
    assert wheel(tmp_path, empty, MILLSTREAM_BROWSER="required")[0] is None


def test_a_wheel_whose_browser_build_fails_is_still_built(tmp_path, programs):
    """The reason is in the build's output; `off` does not even try."""
    (programs / "node").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    found, said = wheel(tmp_path, programs)
    assert found == []
    assert "broken" in said
    assert "broken" not in wheel(tmp_path, programs, MILLSTREAM_BROWSER="off")[1]
