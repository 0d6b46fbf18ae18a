"""What a server holds in memory that nobody asks for."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from millstream.runtime.serve import ServerThread
from millstream.runtime.settings import Settings

HEAPS = """
import ctypes, pathlib, sys
from millstream.runtime.serve import ServerThread
from millstream.runtime.settings import Settings

folder = pathlib.Path(sys.argv[1])
server = ServerThread(Settings(config=folder / "c.yaml", data_dir=folder / "data", port=0), {})
server.start()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(str(folder / "heaps").encode(), b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
server.stop()
"""


@pytest.fixture
def config(tmp_path):
    """A configuration without destinations."""
    (tmp_path / "c.yaml").write_text("sources: [{name: s, write_keys: [k]}]\ndestinations: []\n")
    return tmp_path


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="heaps are glibc's")
def test_all_threads_share_one_heap(config):
    """With a heap for each thread, what one frees no other takes."""
    subprocess.run([sys.executable, "-c", HEAPS, config], check=True, timeout=60)
    assert (config / "heaps").read_text().count("<heap nr=") == 1


def test_the_log_keeps_no_pages_that_it_wrote(config):
    """SQLite fills its cache before it lets go of a page, and nobody reads what the log's writer has just written."""
    server = ServerThread(Settings(config=config / "c.yaml", data_dir=config / "data", port=0), {})
    server.start()
    try:
        log = server.server.parts._log
        assert log._writing.execute("PRAGMA cache_size").fetchone() == (-1024,)
    finally:
        server.stop()
