#!/usr/bin/env python3
"""Experiments with the command, as a user runs them.

usage: lab.py GOSSIP EXAMPLES [NAME]...    EXAMPLES is the directory of scripts; NAMEs choose tests
"""

import os
import subprocess
import sys
import tempfile
import unittest

GOSSIP = None
EXAMPLES = None
PATIENCE = 120
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
        """The experiment that others lose events in, by twenty seeds."""
        script = os.path.join(EXAMPLES, "split-crash.lab")
        for seed in range(1, 21):
            with self.subTest(seed=seed):
                out = self.lab("run", script, "--seed", str(seed))
                self.assertIn("  ok      expect deliveries * 10 ", out)
                self.assertIn("\nok: all 10 checks passed\n", out)

    def test_same_seed(self):
        """The same seed does the same, and another does something else."""
        script = os.path.join(EXAMPLES, "split-crash.lab")
        first = self.lab("run", script, "--seed", "3")
        self.assertEqual(first, self.lab("run", script, "--seed", "3"))
        self.assertNotEqual(first.splitlines()[1:],
                            self.lab("run", script, "--seed", "4").splitlines()[1:])

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
        self.lab("run", ".", code=INPUT_OUTPUT)
        self.assertEqual(len(self.err.splitlines()), 1)

    def test_usage(self):
        for arguments in ([], ["run"], ["dance"], ["run", "a", "b"], ["run", "a", "--on", "mars"],
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
