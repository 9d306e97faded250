#!/usr/bin/env python3
"""Runs the examples that are in Python.

    examples.py watch GOSSIP        against two real nodes on loopback
    examples.py vclock LIBRARY      against the shared library
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from cluster import Cluster, Cut, Failure, expect

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

CLOCKS = """\
{c:1} is before {c:2 r:1}
{c:2 r:1} is concurrent with {c:1 r:2}
together: {c:2 r:2}
2^62 + 1: a limit was reached
"""


def run(name, *arguments, code=0, **environment):
    """What it prints, or complains of."""
    result = subprocess.run([sys.executable, EXAMPLES / name, *arguments], capture_output=True,
                            text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
                            env={**os.environ, **environment})
    expect(result.returncode == code,
           f"{name} ended with {result.returncode}: {result.stdout}{result.stderr}")
    return result.stdout if code == 0 else result.stderr


def watch(command):
    """It publishes at one node and sees at the other what was published, once each."""
    with Cluster(command, 60) as cluster:
        first, second = cluster.add("n1", "n2")
        expect("is a node running there?" in run("watch.py", first.directory, code=1),
               "without a node it says so")
        first.start()
        second.start(first)
        shown = run("watch.py", first.directory, "add book", "add \x1b[31mpen", GOSSIP_COUNT="2")
        expect(shown.splitlines() == ["published n1:1", "published n1:2",
                                      "n1:1 {n1:1} 'add book'",
                                      "n1:2 {n1:2} 'add \\x1b[31mpen'"], shown)
        cluster.agree({"n1": 2})
        shown = run("watch.py", second.directory, "add lamp", GOSSIP_COUNT="3")
        expect("n2:1 {n1:2 n2:1} 'add lamp'" in shown and len(shown.splitlines()) == 4, shown)
        shown = run("watch.py", first.directory, "x" * 70000, code=1)
        expect(re.search(r"POST /v1/events: 4\d\d ", shown), f"too large a payload: {shown}")


def vclock(library):
    shown = run("vclock.py", library)
    expect(shown == CLOCKS, shown)


def main():
    checks = {"watch": watch, "vclock": vclock}
    if len(sys.argv) != 3 or sys.argv[1] not in checks:
        sys.exit(__doc__)
    os.environ.pop("GOSSIP_DIR", None)
    try:
        checks[sys.argv[1]](str(Path(sys.argv[2]).resolve()))
    except (Failure, Cut) as failure:
        sys.exit(f"{sys.argv[1]}: {failure}")


if __name__ == "__main__":
    main()
