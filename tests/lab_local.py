#!/usr/bin/env python3
"""Experiments with real processes, as a user runs them.

usage: lab_local.py GOSSIP EXAMPLES [NAME]...    EXAMPLES is the directory of scripts; NAMEs choose
                                                 tests
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

GOSSIP = None
EXAMPLES = None
PATIENCE = 240
OK, NO, USAGE, DAMAGED = 0, 1, 2, 65


def processes_of(place):
    """Those that have a word of it in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                if os.fsencode(place) in file.read():
                    found.append(int(pid))
        except (FileNotFoundError, ProcessLookupError):
            pass  # It has just ended.
    return found


def wait_until(condition, what):
    """Asks again and again, because what another process does cannot be waited for otherwise."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("has not come about: " + what)
        time.sleep(0.01)


class LocalTest(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="gossip-lab-local-")
        self.addCleanup(place.cleanup)
        self.place = place.name
        self.temporary = os.path.join(self.place, "tmp")
        os.mkdir(self.temporary)

    def tearDown(self):
        self.assert_nothing_is_left()

    def assert_nothing_is_left(self):
        self.assertEqual(os.listdir(self.temporary), [])
        self.assertEqual(processes_of(self.temporary), [])

    def start(self, *arguments):
        return subprocess.Popen(
            [GOSSIP, "lab", *arguments], cwd=self.place, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": self.temporary})

    def finish(self, process, code=OK):
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, code, out + err)
        return out, err

    def lab(self, *arguments, code=OK):
        return self.finish(self.start(*arguments), code)

    def write(self, text, name="x.lab"):
        with open(os.path.join(self.place, name), "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def last_clocks(self, out):
        """Of each node that has one, as the last sample has it."""
        path = os.path.join(self.place, out, "latest", "samples.jsonl")
        with open(path, encoding="utf-8") as file:
            samples = [json.loads(line) for line in file]
        clocks = {}
        for sample in samples:
            if "clock" in sample:
                clocks[sample["node"]] = sample["clock"]
        self.assertTrue(clocks)
        return clocks

    def test_split_crash(self):
        """The experiment that others lose events in, twice at once."""
        script = os.path.join(EXAMPLES, "split-crash.lab")
        runs = [self.start("run", script, "--on", "local", "--out", "out%d" % i)
                for i in range(2)]
        for run in runs:
            out, _ = self.finish(run)
            self.assertIn("  ok      expect deliveries * 10", out)
            self.assertIn("ok: all 9 checks passed", out)

    def test_same_clocks(self):
        """What is published by count ends in the same clocks, virtual or not."""
        script = self.write(
            "nodes 3\nperiod 100ms\nlink loss 10% duplicate 10% latency 5ms jitter 20ms\n"
            "publish n1 3\npublish n2 \"x\\n\\x00\\xff\"\nat 500ms publish * 2\n"
            "at 1s partition n1 | *\npublish * 5 of 2KiB\nexpect monotonic\n"
            "at 2s kill n3\nat 2500ms start n3\n"
            "publish n3 1\nat 3s heal\nexpect converged within 60s\nexpect no-loss\n"
            "expect causal\nexpect monotonic\nexpect no-duplicates\n"
            "expect clock * {n1:10 n2:8 n3:8}\n")
        self.lab("run", script, "--on", "sim", "--out", "sim")
        self.lab("run", script, "--on", "local", "--out", "local")
        self.assertEqual(self.last_clocks("sim"), self.last_clocks("local"))

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
        script = self.write("nodes 3\npublish n1 1\npause n2\nat 1h expect converged\n")

        def nodes():
            return len(processes_of(os.path.join(self.temporary, "gossip-lab-")))

        phases = [lambda: os.listdir(self.temporary), lambda: nodes() == 1, lambda: nodes() == 3]
        for number, phase in enumerate(phases):
            for signal_number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(phase=number, signal=signal_number):
                    run = self.start("run", script, "--on", "local")
                    wait_until(phase, "phase %d" % number)
                    run.send_signal(signal_number)
                    self.finish(run, -signal_number)
                    self.assert_nothing_is_left()
                    self.assertFalse(os.path.exists(os.path.join(self.place, "gossip-lab")))

    def test_killed(self):
        """Processes do not outlive the run, even where it cannot clear away."""
        run = self.start("run", self.write("nodes 2\nat 1h expect converged\n"), "--on", "local")
        wait_until(lambda: len(processes_of(os.path.join(self.temporary, "gossip-lab-"))) == 2,
                   "two nodes")
        run.kill()
        self.finish(run, -signal.SIGKILL)
        wait_until(lambda: not processes_of(self.temporary), "the end of the nodes")
        subprocess.run(["rm", "-r", *(os.path.join(self.temporary, name)
                                      for name in os.listdir(self.temporary))], check=True)


def main():
    global GOSSIP, EXAMPLES
    GOSSIP, EXAMPLES = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == "__main__":
    main()
