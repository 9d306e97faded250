#!/usr/bin/env python3
"""Experiments with real processes in network namespaces, cut by the kernel.

usage: lab_netns.py GOSSIP EXAMPLES [NAME]...    EXAMPLES is the directory of scripts; NAMEs choose
                                                 tests

Exits with 77, skipped, where this system makes no such namespaces.
"""

import os
import shutil
import subprocess
import sys

import labs
from labs import DAMAGED, NO, LabTest

SKIPPED = 77
NOBODY = 65534


def spaces(place):
    """The network namespaces of processes whose temporary files are there, but this one's."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as file:
                if os.fsencode("TMPDIR=" + place) in file.read().split(b"\0"):
                    found.add(os.readlink("/proc/%s/ns/net" % pid))
        except OSError:
            pass  # It has just ended, or is none of ours.
    return found - {os.readlink("/proc/self/ns/net")}


class NetnsTest(LabTest):
    def tearDown(self):
        super().tearDown()
        self.assertEqual(spaces(self.temporary), set())

    def test_split_crash(self):
        """The experiment that others lose events in."""
        out, _ = self.lab("run", os.path.join(labs.EXAMPLES, "split-crash.lab"), "--on", "netns")
        self.assert_split_crash(out)

    def test_same_clocks(self):
        self.assert_same_clocks("netns")

    def test_links(self):
        """The kernel cuts and loses, in one direction; of what it does the nodes are not told."""
        out, _ = self.lab("run", self.write(
            "nodes 3 down n3\nperiod 100ms\npublish * 1\nexpect no-loss within 60s\n"
            "cut n1 -> n2\ncut n3 <-> *\nstart n3\nat +1s publish n2 \"told\"\n"
            "publish n1 \"lost\"\nexpect events n1 4 within 60s\n"
            "link n2 -> n1 loss 100%\nat +1s publish n2 \"lost, too\"\n"
            "at +2s expect events n1 4\nexpect events n2 4\nexpect events n3 0\n"
            "link n2 -> n1 loss 0%\nheal\nexpect converged within 90s\nexpect no-loss\n"),
                          "--on", "netns")
        self.assertIn("\nok: all ", out)
        for node in ("n1", "n2", "n3"):
            path = os.path.join(self.place, "gossip-lab/latest", node + ".log")
            with open(path, encoding="utf-8") as file:
                self.assertIn(" event=faults-allowed ", file.read())

    def test_failing(self):
        out, _ = self.lab("run", self.write(
            "nodes 2\nperiod 100ms\npartition n1 | n2\npublish n1 \"lost\"\n"
            "at 2s expect no-loss\n"), "--on", "netns", code=NO)
        self.assertIn("n1:1 \"lost\", published by n1", out)
        self.assertIn("again:   gossip lab run x.lab --on netns\n", out)

    def test_without_root(self):
        """Who is not root has the same, and the files are theirs."""
        if os.geteuid() != 0:
            self.skipTest("every test here is without root")
        command = os.path.join(self.place, "gossip")
        shutil.copy(labs.GOSSIP, command)
        for path in (self.place, self.temporary):
            os.chmod(path, 0o777)
        script = self.write("nodes 2\nperiod 100ms\npublish n1 1\nexpect events n2 1 within 60s\n")
        user = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]
        done = subprocess.run([*user, command, "lab", "run", script, "--on", "netns"],
                              cwd=self.place, env={**os.environ, "TMPDIR": self.temporary},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=labs.PATIENCE, check=False)
        if "gossip: lab: cannot make network namespaces" in done.stderr:
            self.skipTest("this system lets nobody but root make them")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(os.stat(os.path.join(self.place, "gossip-lab/latest/verdict.json")).st_uid,
                         NOBODY)

    def test_refused(self):
        """What cannot be is told, and nothing is left."""
        script = self.write("nodes 2\n")
        limit = ["unshare", "-Ur", "sh", "-c",
                 "echo 2 > /proc/sys/user/max_net_namespaces && exec \"$@\"", "sh"]
        _, err = self.lab("run", script, "--on", "netns", before=limit, code=NO)
        self.assertRegex(err, "^gossip: cannot make network namespaces: No space left on device; "
                              "allow users to make them .*or play it --on local\n$")
        _, err = self.lab("run", self.write("nodes 2\nskew n1 +1s\n"), "--on", "netns",
                          code=DAMAGED)
        self.assertRegex(err, r"^gossip: lab: x.lab:2: found .*--on sim\n$")

    def test_interrupted(self):
        """Ctrl-C in any phase leaves no process, no namespace and no file behind."""
        self.assert_ends("netns", [lambda pid: os.listdir(self.temporary),
                                   lambda pid: len(spaces(self.temporary)) == 3,
                                   lambda pid: self.nodes() == 1, lambda pid: self.nodes() == 3])

    def test_killed(self):
        """Nor does a run that cannot clear away leave a process or a namespace."""
        self.assert_killed("netns")

    def test_by_hand(self):
        """The place is one as others, but that no machine can be added."""
        self.lab("up", "2", "--on", "netns", "--period", "100ms")
        self.lab("cut", "n1", "->", "n2")
        self.lab("publish", "n1")
        self.lab("kill", "n2")
        _, err = self.lab("clone", "n2", "as", "n3", code=NO)
        self.assertIn("a machine cannot be added on netns", err)
        self.lab("start", "n2")
        self.lab("heal")
        self.lab("wait")
        out, _ = self.lab("down")
        self.assertIn("\nok: all ", out)
        self.assertNotIn("clone", out)


def are_there_namespaces():
    """Whether this system makes them at all, and lets its packets be dropped."""
    trial = subprocess.run(
        ["unshare", "-Urn", "sh", "-c",
         "ip link add hub type bridge && ip link add left type veth peer name right && "
         "nft add table ip gossip"], capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        print("skipped: no network namespaces of one's own: " + trial.stderr.strip())
    return trial.returncode == 0


if __name__ == "__main__":
    if not are_there_namespaces():
        sys.exit(SKIPPED)
    labs.main()
