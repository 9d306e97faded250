#!/usr/bin/env python3
"""Experiments by hand, as a user types them.

usage: lab_hand.py GOSSIP DOCUMENT [NAME]...    DOCUMENT is docs/lab.md; NAMEs choose tests
"""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import unittest

import labs
from labs import NO, OK, PATIENCE, USAGE, processes_of, wait_until

DOCUMENT = None
NO_NODE, LOCKED = 3, 75


class HandTest(labs.LabTest):
    def setUp(self):
        super().setUp()
        self.out = os.path.join(self.place, "gossip-lab")

    def tearDown(self):
        """Nothing of what a test has failed over is left running."""
        if os.path.exists(os.path.join(self.out, "up.lock")):
            self.run_lab("down")
        self.assert_nothing_is_left()

    def run_lab(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    def lab(self, *arguments, code=OK):
        """What it has printed."""
        result, out, err = self.run_lab(*arguments)
        self.assertEqual(result, code, out + err)
        return out if code == OK else out + err

    def json(self, *arguments, code=OK):
        result, out, err = self.run_lab(*arguments, "--json")
        self.assertEqual(result, code, out + err)
        return [json.loads(line) for line in out.splitlines()]

    def assert_nothing_is_left(self):
        wait_until(lambda: not processes_of(self.temporary), "the end of the nodes")
        self.assertEqual(os.listdir(self.temporary), [])
        if os.path.exists(self.out):
            self.assertEqual([name for name in os.listdir(self.out) if name.startswith("up.")], [])

    def read(self, *path):
        with open(os.path.join(self.place, *path), encoding="utf-8") as file:
            return file.read()

    def script(self, number=1):
        return self.read("gossip-lab", "hand-%d" % number, "script.lab")

    def driver(self):
        return int(self.read("gossip-lab", "up.lock").split()[0])

    def test_session(self):
        """What was done by hand is done again by the script of it, and ends in the same clocks."""
        out = self.lab("up", "3", "--period", "100ms")
        self.assertIn("3 nodes on local", out)
        self.assertIn("gossip lab down", out)
        self.lab("partition", "n1", "|", "n2", "n3")
        self.assertRegex(self.lab("publish", "n1", '"a b"'),
                         r'^\d+\.\d{3} s  publish n1 "a b"\n$')
        self.lab("publish n3 2 of 1KiB")
        self.lab("expect", "events", "n2", "2", "within", "30s")
        self.lab("kill", "n3")
        self.lab("start", "n3")
        self.lab("publish", "n3")
        nodes = {node["node"]: node for node in self.json("status")}
        self.assertEqual([nodes[name]["part"] for name in ("n1", "n2", "n3")], [1, 2, 2])
        self.lab("heal")
        self.lab("wait")
        nodes = self.json("status")
        for node in nodes:
            self.assertEqual(node["state"], "up")
            self.assertEqual(node["events"], 4)
            self.assertEqual(node["clock"], {"n1": 1, "n3": 3})
            self.assertEqual(node["part"], 0)
        out = self.lab("down")
        self.assertRegex(out, r"\nok: all \d checks passed\n")
        self.assertIn("again:   gossip lab run gossip-lab/hand-1/script.lab --on local\n", out)
        self.assert_nothing_is_left()
        self.assertEqual(out, self.read("gossip-lab/latest/summary.txt"))
        self.assertEqual(sorted(os.listdir(os.path.join(self.out, "hand-1"))),
                         ["events.jsonl", "n1.log", "n2.log", "n3.log", "samples.jsonl",
                          "script.lab", "summary.txt", "verdict.json", "versions.json"])
        clocks = self.last_clocks("gossip-lab")
        self.assertEqual(clocks, {node["node"]: node["clock"] for node in nodes})
        for place in "sim", "local":
            self.lab("run", "gossip-lab/hand-1/script.lab", "--on", place, "--out", place)
            self.assertEqual(self.last_clocks(place), clocks, place)

    def test_refused(self):
        """What does not fit is told, and changes nothing; what was done before is still there."""
        self.assertIn("no experiment is up in gossip-lab; `gossip lab up N`",
                      self.lab("kill", "n1", code=NO_NODE))
        self.assertIn("no experiment is up", self.lab("down", code=NO_NODE))
        self.assertIn("found 0, expected how many nodes", self.lab("up", "0", code=USAGE))
        self.assertIn("found 5ms, expected the time between exchanges",
                      self.lab("up", "2", "--period", "5ms", code=USAGE))
        self.assertIn("--on sim", self.lab("up", "2", "--on", "sim", code=USAGE))
        self.assertIn("up does not take --seed", self.lab("up", "2", "--seed", "1", code=USAGE))
        self.assertFalse(os.path.exists(self.out))
        self.lab("up", "cart", "stock", "down", "stock")
        before = self.script()
        for words, error in (
                ("kill cars", "found cars, expected a node: cart stock"),
                ("kill stock", "found stock, which does not run, expected one that runs or is "
                               "paused"),
                ("kill", "found the end of the line, expected a node: cart stock"),
                ("period 1s", "found period at a time, expected it without one"),
                ("nodes 3", "found nodes again, expected it once, as the first statement"),
                ("skew cart 1s", "found skew, which needs clocks that are wrong, expected what "
                                 "--on local can do"),
                ("load 5/s until 0", "found 0, expected until when, a time such as 500ms, 10s, 2m "
                                     "or 1h, at most 24h, and not 0"),
                ("publish cart hello", "found hello, expected a text such as '\"hello\"', how many "
                                       "events, or a node"),
                ("partition cart | cart", "found cart in two parts, expected each node in one")):
            self.assertEqual(self.lab(words, code=USAGE), "gossip: lab: %s\n" % error)
        self.assertIn("a statement such as kill, not \"shoot\"", self.lab("shoot", code=USAGE))
        self.assertIn("is one line", self.lab("publish", "cart", '"a\nb"', code=USAGE))
        self.assertEqual(self.script(), before)
        err = self.lab("up", "3", code=LOCKED)
        self.assertIn("process %d, written down in gossip-lab/hand-1/script.lab; `gossip lab down`"
                      % self.driver(), err)
        self.lab("up", "1", "--out", "other")
        self.lab("down", "--out", "other")
        self.assertEqual([node["state"] for node in self.json("status")], ["up", "down"])
        self.lab("down")
        self.assert_nothing_is_left()

    def test_links(self):
        """Cuts and links, as the shell leaves them, and how they are shown."""
        self.lab("up", "3", "--period", "100ms")
        self.lab("cut", "n1", "->", "n2")
        self.lab("cut n3 <-> n1")
        self.lab("link", "*", "->", "n2", "loss", "2.5%", "latency", "5ms")
        self.assertEqual([node["cut_to"] for node in self.json("status")],
                         [["n2", "n3"], [], ["n1"]])
        out = self.lab("status")
        for line in ("  cut   n1 -> n2", "  link  n1 -> n2 latency 5ms loss 2.5%",
                     "  cut   n1 -> n3", "  link  n3 -> n2 latency 5ms loss 2.5%"):
            self.assertIn(line + "\n", out)
        self.lab("publish", "n1", "3")
        self.lab("heal", "n1", "<->", "n3")
        self.lab("wait", "30s")
        self.lab("pause", "n2")
        self.assertIn("  paused ", self.lab("status"))
        self.lab("resume", "n2")
        self.lab("every", "100ms", "until", "+300ms", "publish", "n3")
        self.lab("expect events n3 7 within 30s")
        self.lab("heal")
        self.lab("wait")
        self.lab("down")
        self.lab("run", "gossip-lab/hand-1/script.lab", "--out", "sim")
        self.assertEqual(self.last_clocks("sim"), self.last_clocks("gossip-lab"))

    def test_expect(self):
        """What does not hold is shown with what was seen, and counts."""
        self.lab("up", "2", "--period", "100ms")
        self.lab("partition n1 | n2")
        self.lab("publish", "n1", '"lost"')
        out = self.lab("expect", "no-loss", code=NO)
        self.assertIn("  FAILED  expect no-loss", out)
        self.assertIn("n1:1 \"lost\", published by n1", out)
        check, = self.json("wait", "500ms", code=NO)
        self.assertFalse(check["passed"])
        self.assertGreaterEqual(check["took_ms"], 500)
        self.assertIn("n2 has {}", check["witness"])
        verdict, = self.json("down", code=NO)
        self.assertFalse(verdict["passed"])
        self.assertEqual([check["check"] for check in verdict["checks"] if not check["passed"]],
                         ["expect no-loss", "expect converged within 500ms"])
        self.assertEqual([check["check"] for check in verdict["checks"] if check["passed"]][:3],
                         ["expect causal", "expect no-duplicates", "expect monotonic"])
        self.assert_nothing_is_left()

    def test_waiting(self):
        """While one waits others look, and wait for their turn; who goes has not waited."""
        self.lab("up", "2", "--period", "100ms")
        self.lab("partition n1 | n2")
        self.lab("publish", "n1")
        before = self.script()
        wait = self.start("wait", "1h")
        wait_until(lambda: "waits for what is expected: expect converged within 1h"
                   in self.lab("status"), "a wait")
        second = self.start("publish", "n2")
        wait.send_signal(signal.SIGINT)
        wait.communicate(timeout=PATIENCE)
        out, err = second.communicate(timeout=PATIENCE)
        self.assertEqual(second.returncode, OK, out + err)
        self.assertRegex(self.script()[len(before):], r"^at \+\d+ms publish n2 +# [0-9.]+ s\n$")
        wait = self.start("wait", "1h")
        wait_until(lambda: "waits for" in self.lab("status"), "a wait")
        out = self.lab("down")
        self.assertIn("ok: all ", out)
        _, err = wait.communicate(timeout=PATIENCE)
        self.assertEqual(wait.returncode, NO_NODE)
        self.assertIn("has ended without an answer", err)
        self.assertNotIn("within 1h", self.script())

    def test_copies(self):
        """Backups, and a clone, which is a node more."""
        self.lab("up", "2", "--period", "100ms")
        self.lab("publish n1 2")
        self.lab("wait")
        self.lab("stop", "n1")
        self.assertRegex(self.lab("status"), r"\n  n1 +down, 0 +127\.")
        self.lab("backup", "n1")
        self.lab("start", "n1")
        self.lab("publish n1 1")
        self.lab("wait")
        self.lab("kill", "n1")
        self.lab("restore", "n1")
        self.lab("clone", "n1", "as", "n3")
        self.assertEqual([node["node"] for node in self.json("status")], ["n1", "n2", "n3"])
        self.lab("start", "n3")
        self.lab("publish n3 1")
        self.lab("wait")
        clock = self.json("status")[1]["clock"]
        self.assertEqual(clock, {"n1": 3, "n1'2": 2})
        self.assertIn("ok: all ", self.lab("down"))
        self.lab("run", "gossip-lab/hand-1/script.lab", "--out", "sim")
        self.assertEqual(self.last_clocks("sim")["n2"], clock)
        self.assert_nothing_is_left()

    def test_other_hands(self):
        """A node that something else has killed: it is seen, and done when it is played again."""
        self.lab("up", "2", "--period", "100ms")
        os.kill(self.json("status")[1]["pid"], signal.SIGKILL)
        wait_until(lambda: "kill n2 " in self.script(), "the end of n2 in the script")
        self.assertRegex(self.lab("status"), r"\n  n2 +down, 137 +127\.")
        self.lab("start", "n2")
        out = self.lab("down", code=NO)
        self.assertIn("FAILED  no node ended by itself", out)
        self.lab("run", "gossip-lab/hand-1/script.lab")

    def test_interrupted(self):
        """Ctrl-C in any phase of up leaves no process and no file behind."""
        phases = [lambda: os.path.exists(os.path.join(self.out, "up.lock")),
                  lambda: os.listdir(self.temporary), lambda: self.nodes() >= 2,
                  lambda: self.nodes() >= 4]
        for number, phase in enumerate(phases):
            for signal_number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(phase=number, signal=signal_number):
                    up = self.start("up", "4")
                    wait_until(lambda: phase() or up.poll() is not None, "phase %d" % number)
                    up.send_signal(signal_number)
                    out, err = up.communicate(timeout=PATIENCE)
                    if up.returncode == OK:  # It was faster.
                        self.assertIn("gossip lab down", out)
                        os.kill(self.driver(), signal_number)
                        wait_until(lambda: not os.path.exists(os.path.join(self.out, "up.lock")),
                                   "the end")
                    else:
                        self.assertEqual(up.returncode, -signal_number, out + err)
                    self.assert_nothing_is_left()
                    self.assertEqual(os.listdir(self.out), [])

    def test_nobody_hears(self):
        """One who is killed while he has nodes up has none up."""
        up = self.start("up", "6")
        wait_until(lambda: self.nodes() >= 2, "two nodes")
        up.kill()
        up.communicate(timeout=PATIENCE)
        if up.returncode == OK:  # It was faster.
            self.lab("down")
        wait_until(lambda: not os.path.exists(os.path.join(self.out, "up.lock")), "the end")
        self.assert_nothing_is_left()

    def test_crowd(self):
        """More than can be heard at once are told so, and the others have their turn."""
        self.lab("up", "1", "--period", "100ms")
        self.lab("stop", "n1")
        wait = self.start("expect events n1 1 within 1h")
        wait_until(lambda: "waits for" in self.lab("status"), "a wait")
        crowd = [self.start("start", "n1")] + [self.start("publish", "n1") for _ in range(39)]
        wait_until(lambda: sum(one.poll() is not None for one in crowd) >= 9, "those turned away")
        wait.send_signal(signal.SIGINT)
        wait.communicate(timeout=PATIENCE)
        done = []
        for one in crowd:
            _, err = one.communicate(timeout=PATIENCE)
            done.append(one.returncode)
            if one.returncode == NO:
                self.assertIn("too many ask at once", err)
        self.assertEqual(done.count(NO), 9)
        self.assertLessEqual(set(done), {OK, NO, USAGE})
        self.lab("down")

    def test_told_to_end(self):
        """SIGTERM ends it, and what was done stays written down."""
        self.lab("up", "2")
        self.lab("kill", "n1")
        os.kill(self.driver(), signal.SIGTERM)
        wait_until(lambda: not os.path.exists(os.path.join(self.out, "up.lock")), "the end")
        self.assert_nothing_is_left()
        self.assertEqual(os.listdir(self.out), ["hand-1"])
        self.lab("run", "gossip-lab/hand-1/script.lab")
        self.assertIn("no experiment is up", self.lab("status", code=NO_NODE))

    def test_killed(self):
        """One that was killed leaves no process; the next takes the rest away, and says so."""
        for number, verb in enumerate((("up", "1"), ("down",)), 1):
            self.lab("up", "2")
            self.lab("kill", "n1")
            # Its pid is there as long as it is not waited for, and nobody but init does that.
            os.kill(self.driver(), signal.SIGKILL)
            wait_until(lambda: not processes_of(self.temporary), "the end of the nodes")
            self.assertEqual(len(os.listdir(self.temporary)), 1)
            self.assertIn("was killed; `gossip lab down` takes away",
                          self.lab("status", code=NO_NODE))
            code, out, err = self.run_lab(*verb)
            self.assertEqual(code, OK, out + err)
            self.assertRegex(err, r"^gossip: lab: %s/gossip-lab-\w+ is taken away: a run that was "
                             r"killed has left it\ngossip: lab: the experiment that was up in "
                             r"gossip-lab was killed; what it has left is taken away, but for what "
                             r"was done: gossip-lab/hand-\d/script.lab\n$"
                             % re.escape(self.temporary))
            self.lab("run", "gossip-lab/hand-%d/script.lab" % (2 * number - 1), "--out", "again")
            if verb[0] == "up":
                self.lab("down")
            self.assert_nothing_is_left()

    def test_killed_run(self):
        """The same of a run of a script; one that goes on is left alone."""
        script = self.write("nodes 2\nat 1h expect converged\n")
        runs = [self.start("run", script, "--on", "local") for _ in range(2)]
        wait_until(lambda: self.nodes() == 4, "four nodes")
        runs[0].kill()
        runs[0].communicate(timeout=PATIENCE)
        self.assertEqual(len(os.listdir(self.temporary)), 2)
        self.lab("up", "1")
        self.assertEqual(len(os.listdir(self.temporary)), 2)
        self.lab("down")
        self.assertEqual(len(os.listdir(self.temporary)), 1)
        runs[1].send_signal(signal.SIGINT)
        runs[1].communicate(timeout=PATIENCE)
        self.assert_nothing_is_left()

    def test_closed_terminal(self):
        """It outlives the terminal from which it was started, and holds nothing of it."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.place)
            os.environ["TMPDIR"] = self.temporary
            os.execv(labs.GOSSIP, [labs.GOSSIP, "lab", "up", "2"])
        shown = b""
        while True:
            try:
                block = os.read(terminal, 4096)
            except OSError:  # Nobody has the terminal any more.
                break
            if not block:
                break
            shown += block
        self.assertIn(b"2 nodes on local", shown)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        os.close(terminal)
        self.lab("publish", "n1")
        self.lab("wait")
        self.lab("down")
        self.assert_nothing_is_left()

    def test_document(self):
        """The session of the document goes as it says there."""
        with open(DOCUMENT, encoding="utf-8") as file:
            section = file.read().split("## By hand\n")[1].split("\n## ")[0]
        block = re.search(r"\n\n((?:    gossip lab .*\n)+)", section).group(1)
        commands = [line.strip() for line in block.splitlines()]
        self.assertTrue(commands[0].startswith("gossip lab up"))
        self.assertTrue(commands[-1].startswith("gossip lab down"))
        tools = os.path.join(self.place, "bin")
        os.mkdir(tools)
        shutil.copy2(labs.GOSSIP, os.path.join(tools, "gossip"))
        for command in commands:
            done = subprocess.run(
                command, shell=True, cwd=self.place, capture_output=True, text=True, check=False,
                timeout=PATIENCE,
                env={**os.environ, "TMPDIR": self.temporary, "PATH": tools + ":" + os.environ["PATH"]})
            self.assertEqual(done.returncode, OK, command + "\n" + done.stdout + done.stderr)
        self.assertEqual(sorted(os.listdir(self.place)), ["bin", "gossip-lab", "tmp"])
        self.assert_nothing_is_left()


def main():
    global DOCUMENT
    labs.GOSSIP, DOCUMENT = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == "__main__":
    main()
