#!/usr/bin/env python3
"""Recovery: what becomes of doubles, of recoveries that were cut off, and of events whose causes are
gone. What it does to damaged files as such: cli.py.

usage: cli_recover.py GOSSIP [NAME]...    GOSSIP is the command; NAMEs choose tests
"""

import json
import os
import shutil
import subprocess
import sys
import unittest

from cli import CONFIGURATION, GOSSIP, OK, PATIENCE, CommandFixture, environment, gossip


class RecoverTest(CommandFixture):
    def doubles(self):
        """A node that runs, and a copy that has met it and stopped."""
        original = self.written()
        copy = self.path("copy")
        shutil.copytree(original, copy)
        node = self.start(original)
        self.assertEqual(self.run_node(copy, "--join", node.address).returncode, CONFIGURATION)
        return original, copy, node

    def run_node(self, directory, *arguments):
        """Runs a node that ends by itself."""
        return subprocess.run([GOSSIP, "node", "--dir", directory, "--listen", "127.0.0.1:0",
                               *arguments], capture_output=True, timeout=PATIENCE,
                              env=environment())

    def refuse_start(self, directory):
        done = self.run_node(directory)
        self.assertEqual(done.returncode, CONFIGURATION, done)
        last = done.stderr.splitlines()[-1]
        self.assertIn(b"--new-key", last)
        self.assertIn(b"--keep-key", last)

    # ---- Doubles. ----

    def test_mark_of_a_double(self):
        """A store that is built anew does not forget that its node has a double."""
        original, copy, node = self.doubles()
        result = gossip("recover", "--dir", copy)
        self.check(result, OK)
        self.assertIn(b"does not start before", result.out)
        self.assertIn(b"--new-key", result.out)
        self.assertIn(b"--keep-key", result.out)
        self.assertNotIn(b"At its next start", result.out)
        self.refuse_start(copy)
        self.assertIs(json.loads(gossip("recover", "--dir", copy, "--json").out)["cloned"], True)
        self.refuse_start(copy)
        self.assertIsNone(node.process.poll())
        # Told which of the two it is, it starts.
        cluster = os.path.join(original, "cluster.key")
        told = gossip("recover", "--dir", copy, "--new-key", "--name", "n7", "--cluster", cluster,
                      "--json")
        self.check(told, OK)
        self.assertIs(json.loads(told.out)["cloned"], False)
        self.start(copy)
        self.check(gossip("publish", "--dir", copy, "x"), OK, out=b"n7:1\n")

    def test_mark_of_the_original(self):
        """Likewise the original: it keeps its key."""
        _, copy, node = self.doubles()
        node.end()
        self.check(gossip("recover", "--dir", copy), OK)
        self.refuse_start(copy)
        self.check(gossip("recover", "--dir", copy, "--keep-key"), OK)
        self.start(copy)

    def test_verify_tells_of_a_double(self):
        """It is no fault of what is stored, but the node does not start."""
        original, copy, node = self.doubles()
        result = gossip("verify", "--dir", copy)
        self.check(result, OK)
        notes = [line for line in result.out.splitlines() if line.startswith(b"note: ")]
        self.assertEqual(len(notes), 1, result)
        for part in b"another process", b"--new-key", b"--keep-key":
            self.assertIn(part, notes[0])
        self.check(gossip("recover", "--dir", copy), OK)
        self.assertIn(notes[0], gossip("verify", "--dir", copy).out)
        self.assertIn("--keep-key",
                      json.loads(gossip("verify", "--dir", copy, "--json").out.splitlines()[0])["note"])
        node.end()
        self.check(gossip("recover", "--dir", copy, "--keep-key"), OK)
        self.assertNotIn(b"note: ", gossip("verify", "--dir", copy).out)
        self.assertNotIn(b"note: ", gossip("verify", "--dir", original).out)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *("RecoverTest." + name for name in sys.argv[2:])])
