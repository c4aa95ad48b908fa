"""A server and the generator on a core each, where there are two: what the scripts have in common that measure real servers in turns."""

import os
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# As a result holds it in its command line: seen from the repository.
COMMAND = Path("target/release/xmpp-bench")
GENERATOR, SERVER = "0", "1"


def build():
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)


def pinned(core):
    """Both on both cores would take turns, and the generator be the limit."""
    return ["taskset", "-c", core] if os.cpu_count() == 2 else []


def start(server, accounts, contacts=0, graph="ring"):
    """Starts Prosody or ejabberd afresh on its core, with these accounts; no longer than ten minutes, most of which are contacts."""
    stop(server)
    words = ["scripts/servers", server, "start", "--accounts", str(accounts)]
    if contacts:
        words += ["--contacts", str(contacts), "--graph", graph]
    environment = {**os.environ, "XB_BIN": str(ROOT / COMMAND)}
    subprocess.run(pinned(SERVER) + words, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=600)


def stop(server):
    """Ends it, if it runs."""
    subprocess.run(["scripts/servers", server, "stop"], cwd=ROOT, capture_output=True, check=False, timeout=60)


def told(server, what):
    """What scripts/servers tells of a server that runs (`env`, `options`), word by word and with paths as seen from the repository."""
    said = subprocess.run(["scripts/servers", server, what], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return shlex.split(said.replace(f"{ROOT}/", ""))
