#!/usr/bin/env python3
"""The contracts of --json: which fields each verb prints, in which order, and that docs/cli.md tells of
each of them.

usage: cli_json.py GOSSIP [NAME]...    GOSSIP is the command; NAMEs choose tests
"""

import json
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path

import cli
from cli import GOSSIP, OK, PATIENCE, CommandFixture, environment, gossip, wait_until

TREE = Path(__file__).resolve().parent.parent
EVENT = "dot author seq clock time hlc hash data"

# A verb, what follows it, and the fields of each line that it prints. n1 and n2 run and are in step;
# what is DIR is stopped.
RUNNING = [
    ("publish", "x", ["dot"]),
    ("publish", "--once key x", ["dot"]),
    ("publish", "--once key x", ["dot repeated"]),
    ("log", "--limit 2", [EVENT] * 2),
    ("watch", "--count 1", [EVENT + " delivery cursor"]),
    ("clock", "", ["node clock"]),
    ("clock", "--token", ["node clock token"]),
    ("relation", "n1:1 n1:2", ["a b relation"]),
    ("peers", "", ["name key address state standing in_step heard_ms exchanges answered"]),
    ("status", "", ["node version cluster key author author_id epoch address boot clock read_only start "
                    "standing epochs cuts held peers datagrams counters transport"]),
    ("key", "", ["node key cluster rights issuer certificate"]),
    ("wait", "--timeout 10s in-step", ["in_step"]),
    ("backup", "COPY", ["backup done"]),
    ("stop", "", ["stopping"]),
]
STOPPED = [
    ("log", "--limit 1", [EVENT]),
    ("clock", "", ["node clock"]),
    ("verify", "", ["events faults forks"]),
    ("import", "ARCHIVE", ["cluster authors events records new waiting refused"]),
    ("import", "--check ARCHIVE", ["cluster authors events records"]),
    ("recover", "--force", ["recovered found events unreadable kept cloned waiting archive"]),
]
# Within a line, what has fields of its own.
INSIDE = {
    "start": "state evidence asked answered left_ms",
    "peers": "known alive in_step",
}


def section_of(verb):
    """The part of docs/cli.md that tells of a verb."""
    text = (TREE / "docs/cli.md").read_text(encoding="utf-8")
    part = re.search(r"(?ms)^## %s$(.*?)(?=^## )" % verb, text)
    return part[1]


def named_in(section):
    names = set(re.findall(r'"([a-z_]+)":', section))
    for words in re.findall(r"`([^`\n]+)`", section):
        names.update(re.findall(r"[a-z_]+", words))
    return names


class JsonTest(CommandFixture):
    def hold(self, verb, lines, fields):
        self.assertEqual([" ".join(line) for line in lines], fields, verb)
        # What watch prints is what log prints, and more.
        named = named_in(section_of(verb)) | (named_in(section_of("log")) if verb == "watch" else set())
        for line in lines:
            self.assertLessEqual(set(line), named, "%s: docs/cli.md does not tell of it" % verb)
            for name in set(line) & set(INSIDE):
                if isinstance(line[name], dict):
                    self.assertEqual(" ".join(line[name]), INSIDE[name])
                    self.assertLessEqual(set(line[name]), named)

    def run_all(self, rows, directory):
        tried = set()
        for verb, arguments, fields in rows:
            words = [{"COPY": self.path("copy.db"), "ARCHIVE": self.path("archive")}.get(word, word)
                     for word in arguments.split()]
            place = [] if "--check" in words else ["--dir", directory]
            result = gossip(verb, *place, "--json", *words)
            self.assertEqual(result.code, OK, (verb, result))
            self.hold(verb, [json.loads(line) for line in result.out.splitlines()], fields)
            tried.add(verb)
        return tried

    def test_fields(self):
        first = self.path("n1")
        made = gossip("init", "--dir", first, "--name", "n1", "--json")
        self.hold("init", [json.loads(made.out)], ["node key cluster dir cluster_key"])
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        one, two = self.start(first), None
        two = self.start(second, "--join", one.address)
        wait_until(lambda: gossip("wait", "--dir", first, "--timeout", "1s", "in-step").code == OK,
                   "the two are in step")
        tried = self.run_all(RUNNING, first)
        one.end()
        self.check(gossip("export", "--dir", first, self.path("archive")), OK)
        tried |= self.run_all(STOPPED, first)
        two.end()
        # The verbs that have --json and are tried elsewhere: what runs on, and what needs a fork.
        with_json = {verb for verb in re.findall(r"(?m)^## ([a-z]+)$", (TREE / "docs/cli.md").read_text(
            encoding="utf-8")) if "--json" in section_of_usage(verb)}
        self.assertEqual(with_json - tried, {"init", "dev", "proof", "lab"})

    def test_dev(self):
        process = subprocess.Popen([GOSSIP, "dev", "--json", "2"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=environment())
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        self.hold("dev", lines, ["node dir address pid"] * 2)
        os.kill(lines[1]["pid"], signal.SIGKILL)
        self.hold("dev", [json.loads(process.stdout.readline())], ["node ended"])
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), OK)
        process.stdout.close()

    def test_lab(self):
        verdict = ("passed script on seed end_ms checks latency latency_same_part latency_other_part "
                   "heals longest_gap events deliveries datagrams bytes")
        for words, fields in (
                ("run carts", [verdict + " results again"]),
                ("run carts --seeds 1..2", [verdict + " again"] * 2 + ["seeds passed failed"])):
            result = gossip("lab", *words.split(), "--json", "--out", self.path("results"))
            self.check(result, OK)
            self.hold("lab", [json.loads(line) for line in result.out.splitlines()], fields)
        listed = gossip("lab", "list", "--json")
        lines = [json.loads(line) for line in listed.out.splitlines()]
        self.hold("lab", lines, ["name title"] * len(lines))
        check = "passed line check time_ms took_ms reached witness"
        node = "node state code address dir pid events part cut_to clock"
        for words, fields in (
                ("up 2", [node] * 2), ("publish n1", ["time_ms line text"]), ("wait", [check]),
                ("status", [node] * 2), ("down", [verdict + " results again"])):
            result = gossip("lab", *words.split(), "--json", "--out", self.path("results"))
            self.check(result, OK)
            self.hold("lab", [json.loads(line) for line in result.out.splitlines()], fields)

    def test_proof(self):
        """Of the golden bytes."""
        text = (TREE / "tests/vectors/proof.txt").read_text(encoding="ascii")
        values = dict(re.findall(r"(?m)^(\S+) = ([0-9a-f]+)$", text))
        name = next(key for key in values if key.endswith("record"))
        path = self.path("proof")
        Path(path).write_bytes(bytes.fromhex(values[name]))
        result = gossip("proof", "--json", "check", path, "--cluster", values["cluster.key"])
        self.assertEqual(result.code, OK, result)
        self.hold("proof", [json.loads(result.out)], ["proof key epoch author_id seq cut a b"])


def section_of_usage(verb):
    """The lines of the usage at the head of its section."""
    return "\n".join(re.findall(r"(?m)^    (.*)$", section_of(verb).split("\n\n")[1]))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["JsonTest." + name for name in sys.argv[2:]], verbosity=2)
