#!/usr/bin/env python3
"""Experiments with the command, as a user runs them.

usage: lab.py GOSSIP EXAMPLES [NAME]...    EXAMPLES is the directory of scripts; NAMEs choose tests
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

GOSSIP = None
EXAMPLES = None
PATIENCE = 300
OK, NO, USAGE, DAMAGED, INPUT_OUTPUT, CONFIGURATION = 0, 1, 2, 65, 74, 78


class LabTest(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="gossip-lab-")
        self.addCleanup(place.cleanup)
        self.place = place.name

    def lab(self, *arguments, code=OK, **keywords):
        """Runs it to its end; what it has printed."""
        keywords = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **keywords}
        done = subprocess.run([GOSSIP, "lab", *arguments], cwd=self.place, timeout=PATIENCE,
                              stderr=subprocess.PIPE, check=False, **keywords)
        text = (done.stdout or b"").decode() + done.stderr.decode()
        self.assertEqual(done.returncode, code, text)
        self.err = done.stderr.decode()
        return (done.stdout or b"").decode()

    def write(self, text, name="x.lab"):
        with open(os.path.join(self.place, name), "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def test_split_crash(self):
        """The experiment that others lose events in, by a hundred seeds."""
        script = os.path.join(EXAMPLES, "split-crash.lab")
        out = self.lab("run", script, "--seeds", "1..100", "--json")
        verdicts = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(verdicts.pop(), {"seeds": [1, 100], "passed": 100, "failed": 0})
        self.assertEqual([verdict["seed"] for verdict in verdicts], list(range(1, 101)))
        for verdict in verdicts:
            passed = [check["check"] for check in verdict["checks"] if check["passed"]]
            self.assertEqual(len(passed), 10)
            self.assertIn("expect deliveries * 10", passed)

    def test_same_seed(self):
        """The same seed does the same, and another does something else."""
        script = os.path.join(EXAMPLES, "split-crash.lab")
        first = self.lab("run", script, "--seed", "3")
        again = self.lab("run", script, "--seed", "3")
        self.assertEqual(first.replace("crash-1", "crash-2"), again)
        for name in "events.jsonl", "samples.jsonl":
            self.assertEqual(self.read("gossip-lab/split-crash-1", name),
                             self.read("gossip-lab/split-crash-2", name))
        other = self.lab("run", script, "--seed", "4")
        self.assertNotEqual(first.splitlines()[1:-3], other.splitlines()[1:-3])

    def test_failing(self):
        """What does not hold is shown with what was seen where, and exits with 1."""
        out = self.lab("run", self.write(
            "nodes 3\nat 5s partition n1 | *\n  publish n1 \"lost\"\nat 9s\nexpect no-loss\n"
            "expect converged\nexpect clock n2 {n2:1}\nexpect relation n1:1 n2:1 before\n"
            "expect exit n3 0\nexpect deliveries * 3\nexpect concurrent 1\nkill n3\n"
            "expect exit n3 137\nexpect causal\n"), code=NO)
        for line in (
                "  FAILED  expect no-loss ",
                "n1:1 \"lost\", published by n1 at 5.000 s, is not at n2 n3; it is at n1",
                "n1 has {n1:1}", "n2 has {}", "n2:1 was never shown", "n3 runs still",
                "there were 1 deliveries", "0 of 0 pairs are concurrent",
                "  ok      expect exit n3 137", "  ok      expect causal",
                "FAILED: 7 of 11 checks did not pass"):
            self.assertIn(line, out)

    def test_bad_script(self):
        """A fault is one line, by file and line; nothing is played."""
        out = self.lab("run", self.write("nodes 3\nkill n9\n"), code=DAMAGED)
        self.assertEqual(out, "")
        self.assertEqual(self.err, "gossip: lab: x.lab:2: found n9, expected a node: n1 n2 n3\n")
        self.lab("run", "none.lab", code=CONFIGURATION)
        self.assertRegex(self.err, r"^gossip: cannot open none.lab: .{20,}\n$")
        self.lab("run", "nothing", code=CONFIGURATION)
        self.assertIn("`gossip lab list` shows", self.err)
        self.lab("run", ".", code=INPUT_OUTPUT)
        self.assertEqual(len(self.err.splitlines()), 1)

    def names(self):
        return [json.loads(line)["name"] for line in self.lab("list", "--json").splitlines()]

    def read(self, *path):
        with open(os.path.join(self.place, *path), encoding="utf-8") as file:
            return file.read()

    def test_ready(self):
        """Each script that comes with the command is one of the examples, and holds."""
        names = self.names()
        self.assertEqual(sorted(name + ".lab" for name in names), sorted(os.listdir(EXAMPLES)))
        for name in names:
            for seed in ("1",) if name == "scale" else ("1", "2", "10"):
                with self.subTest(name=name, seed=seed):
                    self.lab("run", name, "--seed", seed)

    def test_scenarios(self):
        """Of each of the twenty-eight the page names a script that there is, or what it waits for."""
        with open(os.path.join(EXAMPLES, "../../docs/lab.md"), encoding="utf-8") as file:
            part = file.read().split("\n## Scenarios\n")[1].split("\n## ")[0]
        names = self.names()
        for row in re.findall(r"(?m)^\| S\d.*$", part):
            scripts = re.findall(r"`([a-z-]+)`", row)
            self.assertTrue(scripts and set(scripts) <= set(names), row)
        for number in range(1, 29):
            self.assertRegex(part, rf"\bS{number}\b")

    def test_list(self):
        """By name, with a sentence on each that fits a line."""
        lines = self.lab("list").splitlines()
        self.assertEqual(len(lines), len(self.names()))
        for line in lines:
            self.assertRegex(line, r"^[a-z-]+ +[A-Z].*\.$")
            self.assertLessEqual(len(line), 120)

    def test_new(self):
        """A ready script is written once, and played from there."""
        self.assertEqual(self.lab("new", "carts"),
                         "carts.lab is written; play it with: gossip lab run carts.lab\n")
        with open(os.path.join(EXAMPLES, "carts.lab"), encoding="utf-8") as file:
            self.assertEqual(self.read("carts.lab"), file.read())
        self.lab("run", "carts.lab")
        self.lab("new", "carts", code=NO)
        self.assertIn("carts.lab exists already", self.err)
        self.lab("new", "carts", "my own.lab")
        self.lab("run", "my own.lab")
        self.assertEqual(self.lab("new", "carts", "-"), self.read("carts.lab"))
        self.lab("new", "cartz", code=USAGE)
        self.lab("new", "carts", "none/x.lab", code=CONFIGURATION)
        # A file stands before a ready script of the same name.
        self.write("nodes 1\nexpect events n1 1\n", "split")
        self.lab("run", "split", code=NO)

    def test_check(self):
        self.assertEqual(self.lab("check", "split-crash"), "split-crash: 5 nodes, 16 statements, "
                         "over after 60.000 s at the latest\n")
        self.lab("check", self.write("nodes 2\nkill n3\n"), code=DAMAGED)
        for place in ("local", "netns"):
            self.lab("check", "split-crash", "--on", place)
            self.lab("check", "bad-disks", "--on", place, code=DAMAGED)
            self.assertIn("--on sim", self.err)
        self.assertEqual(os.listdir(self.place), ["x.lab"])

    def test_results(self):
        """Every run has a directory of its own, and latest points to the newest."""
        self.lab("run", "split-crash", "--seed", "10")
        self.lab("run", "split-crash", "--seed", "3")
        out = self.lab("run", "carts", "--out", "there")
        self.assertIn("\nresults: there/carts-1\nagain:   gossip lab run carts --on sim --seed 1\n",
                      out)
        self.assertEqual(os.readlink(os.path.join(self.place, "gossip-lab/latest")), "split-crash-2")
        self.assertEqual(sorted(os.listdir(os.path.join(self.place, "gossip-lab/latest"))),
                         ["events.jsonl", "samples.jsonl", "script.lab", "summary.txt",
                          "verdict.json", "versions.json"])
        latest = "gossip-lab/latest"
        verdict = json.loads(self.read(latest, "verdict.json"))
        self.assertTrue(verdict["passed"])
        self.assertEqual((verdict["seed"], verdict["events"], verdict["deliveries"]), (3, 2, 8))
        self.assertEqual(verdict["latency"]["count"], 8)
        self.assertEqual(verdict["latency_same_part"]["count"], 3)
        self.assertEqual(verdict["latency_other_part"]["count"], 5)
        self.assertGreater(verdict["latency_other_part"]["p50_ms"], 15000)
        self.assertTrue(verdict["heals"][0]["agreed"])
        self.assertGreater(verdict["longest_gap"]["ms"], 15000)
        events = [json.loads(line) for line in self.read(latest, "events.jsonl").splitlines()]
        self.assertEqual([event["time_ms"] for event in events],
                         sorted(event["time_ms"] for event in events))
        shown = {(event["node"], event["event"]) for event in events
                 if event["what"] in ("published", "delivered")}
        self.assertEqual(shown, {(node, dot) for node in ("n1", "n2", "n3", "n4", "n5")
                                 for dot in ("n1:1", "n3:1")})
        self.assertEqual([event["code"] for event in events if event["what"] == "ended"], [137])
        samples = [json.loads(line) for line in self.read(latest, "samples.jsonl").splitlines()]
        self.assertEqual([sample["clock"] for sample in samples if sample.get("node") == "n5"][-1],
                         {"n1": 1, "n3": 1})
        self.assertEqual([sample for sample in samples if sample["what"] == "traffic"][-1]["bytes"],
                         verdict["bytes"])
        self.assertIn("ok: all 10 checks passed", self.read(latest, "summary.txt"))
        self.assertEqual(self.read(latest, "script.lab"), self.lab("new", "split-crash", "-"))
        self.assertEqual(json.loads(self.read(latest, "versions.json"))["on"], "sim")

    def test_no_place(self):
        """Where results cannot be written that is said, and nothing of them is left."""
        self.write("", "file")
        self.lab("run", "carts", "--out", "file", code=CONFIGURATION)
        self.lab("run", "carts", "--out", "none/there", code=CONFIGURATION)
        os.makedirs(os.path.join(self.place, "out/latest"))
        self.lab("run", "carts", "--out", "out", code=INPUT_OUTPUT)
        self.assertEqual(os.listdir(os.path.join(self.place, "out")), ["latest"])

    def test_json(self):
        verdict = json.loads(self.lab("run", self.write(
            "nodes 2\nat 5s publish n1 \"\\x00\\\\ \u00e4 \U0001f600\"\nexpect deliveries * 2 within 20s\n"
            "expect deliveries * 3\n"), "--json", code=NO))
        self.assertFalse(verdict["passed"])
        self.assertEqual([check["passed"] for check in verdict["checks"]],
                         [True, False, True, True])
        self.assertEqual(verdict["checks"][1]["line"], 4)
        self.assertEqual(verdict["checks"][1]["witness"][0], "there were 2 deliveries")
        published = [event for event in map(json.loads,
                                            self.read("gossip-lab/latest/events.jsonl").splitlines())
                     if event["what"] == "published"]
        self.assertEqual(published[0]["data"], "\0\\ \u00e4 \U0001f600")
        self.assertTrue(self.read("gossip-lab/latest/events.jsonl").isascii())

    LOSSY = ("nodes 4\nlink latency 5ms\nat 5s partition n1 n2 | n3 n4\nat 6s\n  publish n1 \"a\"\n"
             "load 3/s until 20s\nat 8s kill n4\nat 9s start n4\nat 21s heal\n"
             "at 22s partition n1 | n2 n3 n4\nat 23s publish n1 2\nat 24s expect no-loss # not so\n")

    def test_seeds(self):
        out = self.lab("run", "split-crash", "--seeds", "1..5")
        self.assertIn("split-crash on sim, seeds 1 to 5: 5 passed, 0 failed\n", out)
        self.assertEqual(self.err, "")
        self.assertEqual(len(self.read("gossip-lab/latest/seeds.jsonl").splitlines()), 5)
        out = self.lab("run", self.write(self.LOSSY), "--seeds", "7..8", code=NO)
        self.assertIn("seeds 7 to 8: 0 passed, 2 failed\n  seed 7        expect no-loss, line 12\n", out)
        self.assertIn("again:   gossip lab run x.lab --on sim --seed 7\n", out)
        self.assertEqual(json.loads(self.read("gossip-lab/latest/verdict.json"))["seed"], 7)
        lines = self.lab("run", "x.lab", "--seeds", "7..8", "--json", code=NO).splitlines()
        self.assertEqual([json.loads(line).get("seed") for line in lines], [7, 8, None])
        self.assertEqual(json.loads(lines[2]), {"seeds": [7, 8], "passed": 0, "failed": 2})

    def test_shrink(self):
        """What is not needed for a failure is left out, and what is left fails in the same way."""
        out = self.lab("run", self.write(self.LOSSY), "--shrink", code=NO)
        less = out[out.index("nodes 4\n", out.index("# The least of it")):]
        self.assertLessEqual(len(less.splitlines()), 5)
        self.assertIn("at 24s expect no-loss\n", less)
        self.assertIn("  FAILED  expect no-loss",
                      self.lab("run", self.write(less, "less.lab"), code=NO))

    def test_interrupted(self):
        """Ctrl-C leaves nothing behind."""
        with subprocess.Popen([GOSSIP, "lab", "run", "scale", "--seeds", "1..100", "--json"],
                              cwd=self.place, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              start_new_session=True) as process:
            process.stdout.read(1) # One seed is done.
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, -signal.SIGINT)
        self.assertEqual(os.listdir(self.place), [])

    def test_grammar(self):
        """The grammar that help shows is that of docs/lab.md, a page of it."""
        shown = subprocess.run([GOSSIP, "help", "experiments"], capture_output=True, text=True,
                               check=True).stdout
        grammar = [line for line in shown.splitlines() if line.startswith("    ")]
        with open(os.path.join(EXAMPLES, "../../docs/lab.md"), encoding="utf-8") as file:
            self.assertIn("\n".join(grammar), file.read())
        self.assertLessEqual(len(grammar), 50)
        self.assertLessEqual(max(map(len, shown.splitlines())), 90)

    def test_clone_links(self):
        """A clone is in the part of the node that it is of, and its links are as slow."""
        out = self.lab("run", self.write(
            "nodes 3\nlink latency 500ms\nat 20s expect converged\npartition n1 | n2 n3\nstop n1\n"
            "clone n1 as copy\nstart copy\npublish n2\nat 60s expect events copy 0\nheal\n"
            "expect events copy 1 within 2m\nat +30s publish n2\n"
            "expect events copy 2 within 30s\n"))
        self.assertIn("ok: all 6 checks passed", out)
        verdict = json.loads(self.read("gossip-lab/latest/verdict.json"))
        self.assertGreaterEqual(verdict["latency_same_part"]["p50_ms"], 500)
        self.assertEqual(verdict["latency_other_part"]["count"], 1)

    def test_usage(self):
        for arguments in ([], ["run"], ["dance"], ["run", "a", "b"], ["run", "a", "--on", "mars"],
                          ["list", "x"], ["new"], ["new", "a", "b", "c"], ["check"],
                          ["list", "--seed", "1"], ["run", "a", "--seeds", "1"],
                          ["run", "a", "--seeds", "2..1"], ["run", "a", "--seeds", "1..2..3"],
                          ["run", "a", "--seed", "x"], ["run", "a", "--seed", "-1"],
                          ["run", "a", "--seed", "99999999999999999999999"]):
            with self.subTest(arguments=arguments):
                self.lab(*arguments, code=USAGE)
                self.assertRegex(self.err, r"^gossip: lab: .{10,}\n$")

    def test_full_output(self):
        script = os.path.join(EXAMPLES, "split-crash.lab")
        with open("/dev/full", "wb") as full:
            self.lab("run", script, code=INPUT_OUTPUT, stdout=full)


def main():
    global GOSSIP, EXAMPLES
    GOSSIP, EXAMPLES = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == "__main__":
    main()
