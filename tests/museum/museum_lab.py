#!/usr/bin/env python3
"""Experiments with the museum's nodes: each mistake that a script can provoke makes it fail, with a
witness, and without the mistake the same run passes.

usage: museum_lab.py GOSSIP-MUSEUM TREE
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PATIENCE = 100
ENDS = "no node ended by itself"
INVARIANTS = "invariants I1 to I9"

# Of each exhibit: the script (of tests/museum/lab, or else one that comes with the command), a check
# that fails, what its witness says, and the invariant that fails on the simulator beside it, if one
# does.
SHOWN = {
    "SEND_EARLY": (
        "sent-before-saved", "expect no-duplicates",
        r'n2:2 "saved", published by n2 at 50\.000 s, has the number of another event: '
        r'n2:2 "heard", which n2 has not shown, first seen at 20\.\d+ s', "I2 durable"),
    "MERGE_DIGEST": (
        "restart", "expect causal",
        r'n1:101 "after the crash", published by n1 at .* s, says \{n1:101 n2:100\}; '
        r'its writer had shown \{n1:100 n2:50\}', "I2 durable"),
    "CLOCK_APART": (
        "clock-without-event", ENDS,
        r"n2 has ended by itself at 22\.000 s with 65: what is stored contradicts itself",
        "I2 durable"),
    "REUSE_COUNTER": (
        "rolling-restart", ENDS,
        r"n1 has ended by itself at 25\.\d+ s with 1: it exists already", "I1 no-reuse"),
    "DELIVER_EARLY": (
        "question-later", "expect causal",
        r'n2:1 "answer", published by n2 at .* s, was shown by n3 at .* s before all that its '
        r'writer had seen: \{n1:2\}; n3 had shown \{n1:1\}', "I5 closed"),
    "TICK_ON_MERGE": (
        "merge-counted", "expect causal",
        r'n2:1 "answer", published by n2 at .* s, says \{n1:1 n2:2\}; its writer had shown '
        r'\{n1:1\}', "I4 causal"),
    "RESERIALISE": (
        "encoded-again", "expect no-loss",
        r'n1:1 "", published by n1 at .* s, is not at n3; it is at n1 n2', "I7 bytes"),
    "GO_ON": (
        "bad-disks", "expect exit n2 74 within 20s", r"n2 has ended with 65", "I2 durable"),
    "SYNC_NORMAL": (
        "split-crash", INVARIANTS,
        r"I2, durable, at .* shows boot 1, and its sender's disk holds boot 0", "I2 durable"),
    "UNBOUNDED_HOLD": (
        "held-without-end", INVARIANTS,
        r"I8, bounds, at .* s: n1 holds back \d+ events of \d+ bytes .* are allowed", "I8 bounds"),
    "EPOCH_OF_TIME": (
        "epoch-of-time", "expect no-duplicates",
        r"""n1'2:2 "set back twice", .* has the number of another event: n1'2:2 "set back once", """,
        "I1 no-reuse"),
    "NO_HEADS": (
        "even-fork", "expect converged within 4m",
        r'n1:6 "6", published by n1 at 61\.000 s, is at n2\n'
        r'n1:6 "9", published by n1 at 130\.000 s, is at n1 n3\n', None),
    "OLD_EPOCH": (
        "restored-alone", "expect no-duplicates",
        r'n1:101 "alone", published by n1 at 131\.000 s, has the number of another event: '
        r'n1:101 "101", published by n1 at 80\.000 s', "I1 no-reuse"),
    "STAND_STILL": (
        "forked", "expect no-loss",
        r'n3:1 "I saw the other side", published by n3 at 160\.000 s, is not at n2; '
        r'it is at n1 n3\n',
        None),
    "FIRST_COMES": (
        "three-branches", "expect converged within 4m",
        r'n1:6 "6", published by n1 at 61\.000 s, is at n2\n'
        r'n1:6 "9", published by n1 at 130\.000 s, is at n1 n3 n4\n', None),
}

# And of each that no script can provoke, why; the page says the same.
NOT_SHOWN = {
    "IGNORE_SIDE": "`restore` sets the side file back together with the database, and nothing in the "
                   "language sets back one without the other",
}

# Scripts that would show those if any did: who makes the mistake passes them.
NEAREST = ["restored-alone", "restored-backup", "forked", "clone"]

# On real processes, where no simulator can help.
ON_LOCAL = ["DELIVER_EARLY", "TICK_ON_MERGE"]


class Wrong(Exception):
    """What a run did that it should not have done."""


def require(holds, what):
    if not holds:
        raise Wrong(what)


def play(program, tree, script, place, exhibit, passes):
    """The verdict of a run, with the mistake or without, that passes or does not."""
    path = tree / "tests/museum/lab" / (script + ".lab")
    choice = [] if exhibit is None else ["--exhibit", exhibit]
    with tempfile.TemporaryDirectory(prefix="gossip-museum-") as directory:
        done = subprocess.run(
            [program, *choice, "lab", "run", path if path.exists() else script, "--on", place,
             "--seed", "1", "--json"],
            cwd=directory, capture_output=True, text=True, timeout=PATIENCE, check=False,
            stdin=subprocess.DEVNULL)
    run = f"{exhibit or 'no exhibit'}, {script} on {place}"
    require(done.stdout, f"{run}: no verdict; it ended with {done.returncode}: {done.stderr}")
    verdict = json.loads(done.stdout)
    for check in verdict["checks"]:
        check["witness"] = "".join(line + "\n" for line in check.get("witness", []))
    require(done.returncode == (0 if passes else 1),
            f"{run}: it ended with {done.returncode}\n{json.dumps(verdict['checks'], indent=1)}")
    require(verdict["passed"] == passes, f"{run}: passed is {verdict['passed']}")
    return run, verdict


def find(verdict, title):
    return [check for check in verdict["checks"] if check["check"].startswith(title)]


def show(program, tree, exhibit, place):
    script, title, witness, invariant = SHOWN[exhibit]
    run, verdict = play(program, tree, script, place, exhibit, False)
    failing = [check for check in find(verdict, title) if not check["passed"]]
    require(failing, f"{run}: {title} is to fail\n{json.dumps(verdict['checks'], indent=1)}")
    require(any(re.search(witness, check["witness"]) for check in failing),
            f"{run}: the witness of {title} is\n{failing[0]['witness']}and not\n{witness}")
    if place == "sim":
        (last,) = find(verdict, INVARIANTS)
        found = "" if last["passed"] else " ".join(last["witness"].split(", ")[:2])
        require(found == (invariant or ""), f"{run}: {invariant} is to fail, and it was: {found}")
    return f"{run}: {title}: {failing[0]['witness'].splitlines()[0]}"


def pass_by(program, tree, script, place, exhibit):
    run, verdict = play(program, tree, script, place, exhibit, True)
    return f"{run}: all {len(verdict['checks'])} checks passed"


def exhibits(tree):
    """All there are."""
    text = (tree / "gossip/museum.h").read_text(encoding="utf-8")
    enum = re.search(r"enum museum_exhibit \{(.*?)\};", text, re.S).group(1)
    return [name for name in re.findall(r"MUSEUM_(\w+),", enum) if name not in ("NONE", "EXHIBITS")]


def check_tables(tree):
    """Each exhibit has a script or a reason, each script an exhibit, and the page tells both."""
    names = exhibits(tree)
    require(len(names) > 0, "gossip/museum.h names no exhibit")
    require(sorted(names) == sorted([*SHOWN, *NOT_SHOWN]),
            f"each exhibit has a script or a reason why there is none: {sorted(names)}")
    require(not set(SHOWN) & set(NOT_SHOWN), "what has a script needs no reason")
    scripts = {path.stem for path in (tree / "tests/museum/lab").iterdir()}
    used = {shown[0] for shown in SHOWN.values()}
    require(scripts <= used, f"no exhibit is shown by {sorted(scripts - used)}")
    page = (tree / "docs/museum.md").read_text(encoding="utf-8")
    for name, (script, title, _, invariant) in SHOWN.items():
        path = f"tests/museum/lab/{script}.lab" if script in scripts else script
        row = (f"| `{name}` | `{path}` | {title if title in (ENDS, INVARIANTS) else f'`{title}`'} | "
               f"{invariant or 'none'} |\n")
        require(row in page, f"docs/museum.md has to have the row\n{row}")
    for name, reason in NOT_SHOWN.items():
        require(f"| `{name}` | none: {reason} | | |\n" in page,
                f"docs/museum.md has to have the row\n| `{name}` | none: {reason} | | |")


def failures(text):
    """The rows that fail, whatever their numbers."""
    return [re.sub(r"[0-9]+", "N", line.strip()) for line in text.splitlines()
            if line.strip().startswith("FAILED  ")]


def check_page(program, tree):
    """The run that the page shows fails as the page shows it."""
    page = (tree / "docs/museum.md").read_text(encoding="utf-8")
    shown = failures(page[page.index("    What was expected\n"):page.index("| exhibit | script |")])
    with tempfile.TemporaryDirectory(prefix="gossip-museum-") as directory:
        done = subprocess.run(
            [program, "--exhibit", "SEND_EARLY", "lab", "run",
             "tests/museum/lab/sent-before-saved.lab", "--out", directory],
            cwd=tree, capture_output=True, text=True, timeout=PATIENCE, check=False,
            stdin=subprocess.DEVNULL)
    require(shown == failures(done.stdout) != [], f"docs/museum.md has to show\n{done.stdout}")


def main(program, tree):
    check_tables(tree)
    check_page(program, tree)
    runs = [(show, exhibit, "local") for exhibit in ON_LOCAL]
    runs += [(pass_by, SHOWN[exhibit][0], "local", None) for exhibit in ON_LOCAL]
    runs += [(show, exhibit, "sim") for exhibit in SHOWN]
    runs += [(pass_by, script, "sim", None)
             for script in sorted({shown[0] for shown in SHOWN.values()})]
    runs += [(pass_by, script, "sim", exhibit) for exhibit in NOT_SHOWN for script in NEAREST]
    failed = 0
    # What is played on processes waits most of its time.
    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0)) + 2) as pool:
        for result in [pool.submit(what, program, tree, *rest) for what, *rest in runs]:
            try:
                print("ok:", result.result())
            except (Wrong, subprocess.TimeoutExpired) as error:
                failed += 1
                print("FAILED:", error)
    print(f"{len(runs) - failed} runs as they should be, {failed} not")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(os.path.abspath(sys.argv[1]), Path(sys.argv[2]).resolve()))
