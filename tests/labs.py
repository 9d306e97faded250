"""Experiments with real processes, as a user runs them: what their tests share."""

import json
import os
import shutil
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


class LabTest(unittest.TestCase):
    # What is published by count ends in the same clocks, wherever it is played.
    SAME = ("nodes 3\nperiod 100ms\nlink loss 10% duplicate 10% latency 5ms jitter 20ms\n"
            "publish n1 3\npublish n2 \"x\\n\\x00\\xff\"\nat 500ms publish * 2\n"
            "at 1s partition n1 | *\npublish * 5 of 2KiB\nexpect monotonic\n"
            "at 2s kill n3\nat 2500ms start n3\n"
            "publish n3 1\nat 3s heal\nexpect converged within 60s\nexpect no-loss\n"
            "expect causal\nexpect monotonic\nexpect no-duplicates\n"
            "expect clock * {n1:10 n2:8 n3:8}\n")

    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="gossip-lab-test-")
        self.addCleanup(place.cleanup)
        self.place = place.name
        self.temporary = os.path.join(self.place, "tmp")
        os.mkdir(self.temporary)

    def tearDown(self):
        self.assert_nothing_is_left()

    def assert_nothing_is_left(self):
        self.assertEqual(os.listdir(self.temporary), [])
        self.assertEqual(processes_of(self.temporary), [])

    def start(self, *arguments, before=()):
        return subprocess.Popen(
            [*before, GOSSIP, "lab", *arguments], cwd=self.place, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": self.temporary})

    def finish(self, process, code=OK):
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, code, out + err)
        return out, err

    def lab(self, *arguments, code=OK, before=()):
        return self.finish(self.start(*arguments, before=before), code)

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

    def assert_split_crash(self, out):
        """What the experiment shows that others lose events in."""
        self.assertIn("  ok      expect deliveries * 10", out)
        self.assertIn("  ok      gossip verify finds all files sound", out)
        self.assertIn("ok: all 10 checks passed", out)

    def assert_same_clocks(self, place):
        script = self.write(self.SAME)
        self.lab("run", script, "--on", "sim", "--out", "sim")
        self.lab("run", script, "--on", place, "--out", place)
        self.assertEqual(self.last_clocks("sim"), self.last_clocks(place))

    def assert_ends(self, place, phases):
        """Ctrl-C in any phase leaves no process and no file behind, and no results."""
        script = self.write("nodes 3\npublish n1 1\npause n2\nat 1h expect converged\n")
        for number, phase in enumerate(phases):
            for signal_number in (2, 15):
                with self.subTest(phase=number, signal=signal_number):
                    run = self.start("run", script, "--on", place)
                    wait_until(lambda: phase(run.pid), "phase %d" % number)
                    run.send_signal(signal_number)
                    self.finish(run, -signal_number)
                    self.assert_nothing_is_left()
                    self.assertFalse(os.path.exists(os.path.join(self.place, "gossip-lab")))

    def assert_killed(self, place):
        """Processes do not outlive a run that cannot clear away; its files are the next one's."""
        run = self.start("run", self.write("nodes 2\nat 1h expect converged\n"), "--on", place)
        wait_until(lambda: self.nodes() == 2, "two nodes")
        run.kill()
        self.finish(run, -9)
        wait_until(lambda: not processes_of(self.temporary), "the end of the nodes")
        for name in os.listdir(self.temporary):
            shutil.rmtree(os.path.join(self.temporary, name))

    def nodes(self):
        """How many processes work in what a run has made."""
        return len(processes_of(os.path.join(self.temporary, "gossip-lab-")))


def main():
    """The command line of each of these tests."""
    global GOSSIP, EXAMPLES
    GOSSIP, EXAMPLES = map(os.path.abspath, sys.argv[1:3])
    unittest.main(module="__main__", argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
