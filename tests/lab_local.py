#!/usr/bin/env python3
"""Experiments with real processes, as a user runs them.

usage: lab_local.py GOSSIP EXAMPLES [NAME]...    EXAMPLES is the directory of scripts; NAMEs choose
                                                 tests
"""

import os

import labs
from labs import DAMAGED, NO, USAGE, LabTest


class LocalTest(LabTest):
    def test_split_crash(self):
        """The experiment that others lose events in, twice at once."""
        script = os.path.join(labs.EXAMPLES, "split-crash.lab")
        runs = [self.start("run", script, "--on", "local", "--out", "out%d" % i)
                for i in range(2)]
        for run in runs:
            out, _ = self.finish(run)
            self.assert_split_crash(out)

    def test_same_clocks(self):
        self.assert_same_clocks("local")

    def test_processes(self):
        """What can be done to a process is done, and told."""
        out, _ = self.lab("run", self.write(
            "nodes 3\nperiod 100ms\npublish n1 2\nexpect converged within 30s\npause n3\n"
            "publish n1 1\nat +500ms expect events n3 2\nresume n3\nexpect events n3 3 within 30s\n"
            "stop n2\nexpect exit n2 0\nbackup n2\nstart n2\npublish n2 1\n"
            "expect converged within 30s\nkill n2\nexpect exit n2 137\nrestore n2\nstart n2\n"
            "publish n2 1\nexpect converged within 60s\nexpect no-loss\nexpect causal\n"
            "expect no-duplicates\nexpect clock * {n1:3 n2:1 n2'2:2}\n"), "--on", "local")
        self.assertIn("\nok: all ", out)

    def test_clone(self):
        """A copy has been shown what its original had, and goes on from there."""
        script = self.write(
            "nodes 2\nperiod 100ms\npublish n1 2\nexpect converged within 60s\nkill n1\n"
            "clone n1 as n3\nstart n3\nexpect events n3 2 within 30s\npublish n3 1\n"
            "expect events n2 n3 3 within 60s\nexpect causal\nexpect no-duplicates\n")
        for place in "sim", "local":
            self.lab("run", script, "--on", place)

    def test_copy_that_stops(self):
        """A copy ends as soon as it knows what it is, while its clock is asked for all the time."""
        script = self.write(
            "nodes 2\nperiod 100ms\nat 1s stop n1\nclone n1 as copy\nload 200/s on n2 until 3s\n"
            "start n1\nstart copy\nexpect clock n1 {n2:1000000} within 1s\n"
            "expect exit copy 78 within 20s\n")
        for _ in range(5):
            out, _ = self.lab("run", script, "--on", "local", code=NO)
            self.assertIn("n1 has {", out)
            self.assertIn("  ok      expect exit copy 78", out)

    def test_failing(self):
        """A cut is one: nothing passes, also not to a node that starts inside it."""
        out, _ = self.lab("run", self.write(
            "nodes 3\nperiod 100ms\npartition n1 | *\npublish n1 \"lost\"\nat 500ms kill n3\n"
            "at 1s start n3\nat 2s expect no-loss\nexpect events n2 0\n"), "--on", "local", code=NO)
        self.assertIn("n1:1 \"lost\", published by n1", out)
        self.assertIn("is not at n2 n3; it is at n1", out)
        self.assertIn("  ok      expect events n2 0", out)
        self.assertIn("again:   gossip lab run x.lab --on local\n", out)
        with open(os.path.join(self.place, "gossip-lab/latest/n3.log"), encoding="utf-8") as file:
            log = file.read()
        self.assertEqual(log.count(" event=ready "), 2)
        self.assertEqual(log.count(" event=faults-allowed "), 2)

    def test_refused(self):
        """What needs a virtual disk or clock is refused before anything starts."""
        for statement in ("skew n1 +1s", "disk n1 full", "kill n1\nbackup n1\nrestore n1 machine"):
            _, err = self.lab("run", self.write("nodes 2\n" + statement + "\n"), "--on", "local",
                              code=DAMAGED)
            self.assertRegex(err, r"^gossip: lab: x.lab:\d: found .*--on sim\n$")
        self.lab("run", "split", "--on", "local", "--seeds", "1..2", code=USAGE)
        self.assertFalse(os.path.exists(os.path.join(self.place, "gossip-lab")))

    def test_interrupted(self):
        """Ctrl-C in any phase leaves no process and no file behind."""
        self.assert_ends("local", [lambda pid: os.listdir(self.temporary),
                                   lambda pid: self.nodes() == 1, lambda pid: self.nodes() == 3])

    def test_killed(self):
        """Processes do not outlive the run, even where it cannot clear away."""
        self.assert_killed("local")


if __name__ == "__main__":
    labs.main()
