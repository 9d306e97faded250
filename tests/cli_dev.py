"""gossip dev: throw-away nodes, and that nothing is left of them.

usage: cli_dev.py GOSSIP
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

GOSSIP = None
PATIENCE = 60


def gossip(*arguments):
    return subprocess.run([GOSSIP, *arguments], capture_output=True, text=True, timeout=PATIENCE,
                          check=False)


def is_running(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class DevTest(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="gossip-cli-dev-")
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)

    def start(self, *arguments):
        process = subprocess.Popen([GOSSIP, "dev", *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True,
                                   env=dict(os.environ, TMPDIR=self.place))
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def end(self, process, number, pids):
        process.send_signal(number)
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(process.stderr.read(), "")
        self.assertEqual(os.listdir(self.place), [])
        self.assertEqual([pid for pid in pids if is_running(pid)], [])

    def test_nodes_are_in_step(self):
        """Three, as text; what it prints to type next can be typed."""
        process = self.start()
        lines = []
        while not lines or not lines[-1].startswith("Ctrl-C"):
            line = process.stdout.readline()
            self.assertNotEqual(line, "", process.stderr.read() if process.poll() is not None else "")
            lines.append(line)
        text = "".join(lines)
        self.assertIn("3 nodes run, and are in step", text)
        directories = re.findall(r"(?m)^  n\d +127\.77\.0\.\d:\d+ +(\S+)$", text)
        self.assertEqual(len(directories), 3)
        commands = re.findall(r"(?m)^  (\S*gossip \w+ .*)$", text)
        self.assertEqual([command.split()[1] for command in commands], ["publish", "log", "peers"])
        for command in commands:
            done = subprocess.run(command, shell=True, capture_output=True, text=True,
                                  timeout=PATIENCE, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        token = gossip("clock", "--dir", directories[0], "--token").stdout.strip()
        done = gossip("wait", "--dir", directories[2], "clock", token)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("hello", gossip("log", "--dir", directories[2]).stdout)
        pids = [int(pid) for pid in re.findall(r"kill -9 (\d+)", text)]
        self.end(process, signal.SIGINT, pids)

    def test_a_node_that_ends_is_told_of(self):
        process = self.start("--json", "2")
        nodes = [json.loads(process.stdout.readline()) for _ in range(2)]
        self.assertEqual([node["node"] for node in nodes], ["n1", "n2"])
        self.assertEqual([node["address"].split(":")[0] for node in nodes],
                         ["127.77.0.1", "127.77.0.2"])
        self.assertTrue(all(is_running(node["pid"]) for node in nodes))
        os.kill(nodes[1]["pid"], signal.SIGKILL)
        self.assertEqual(json.loads(process.stdout.readline()), {"node": "n2", "ended": 137})
        self.end(process, signal.SIGTERM, [node["pid"] for node in nodes])

    def test_one(self):
        process = self.start("--json", "1")
        node = json.loads(process.stdout.readline())
        self.assertEqual(gossip("publish", "--dir", node["dir"], "x").stdout, "n1:1\n")
        self.end(process, signal.SIGHUP, [node["pid"]])

    def test_killed(self):
        """Its nodes end with it; only what is on disk stays."""
        process = self.start("--json", "2")
        pids = [json.loads(process.stdout.readline())["pid"] for _ in range(2)]
        process.kill()
        process.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual([pid for pid in pids if is_running(pid)], [])

    def test_refusals(self):
        for number in "0", "21", "-1", "x", "", "3x":
            done = gossip("dev", "--", number)
            self.assertEqual(done.returncode, 2, number)
            self.assertIn("from 1 to 20", done.stderr)
        self.assertEqual(gossip("dev", "1", "2").returncode, 2)
        done = subprocess.run([GOSSIP, "dev"], capture_output=True, text=True, timeout=PATIENCE,
                              env=dict(os.environ, TMPDIR=self.place + "/nowhere"), check=False)
        self.assertIn(done.returncode, (74, 78))
        self.assertIn("TMPDIR", done.stderr)
        self.assertEqual(os.listdir(self.place), [])


if __name__ == "__main__":
    GOSSIP = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
