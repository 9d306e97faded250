#!/usr/bin/env python3
"""Health and figures of a real node: on its socket.

usage: cli_metrics.py GOSSIP METRICS [NAME]...    GOSSIP is the command, METRICS is docs/metrics.md;
                                                  NAMEs choose tests

Exit status 77: all that could be tried went well, and what could not is said with the reason.
"""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest

import cli
from cli import OK, PATIENCE, CommandFixture, gossip, wait_until

DOCUMENT = sys.argv[2]
SKIPPED = []


class Connection(http.client.HTTPConnection):
    """Speaks HTTP with the socket in a node's directory."""

    def __init__(self, directory):
        super().__init__("node", timeout=PATIENCE)
        self.path = os.path.join(directory, "api.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body.decode()

    def __repr__(self):
        return "%d %r" % (self.status, self.body[-1000:])


def ask(directory, path, method="GET", body=None):
    connection = Connection(directory)
    try:
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def read_figures(text):
    """The figures of an exposition, by name and labels as they are written; each is there once."""
    figures = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, number = line.rsplit(" ", 1)
        assert name not in figures, line
        figures[name] = float(number)
    return figures


def read_kinds(text):
    """The kind of each metric, in order; each has a help text and a kind, once, before its figures."""
    kinds, helped, current = {}, set(), None
    for line in text.splitlines():
        match = re.match(r"# HELP (\S+) (\S.*)$", line)
        if match:
            assert match.group(1) not in helped, line
            helped.add(match.group(1))
            continue
        match = re.match(r"# TYPE (\S+) (counter|gauge|histogram)$", line)
        if match:
            current = match.group(1)
            assert current in helped and current not in kinds, line
            kinds[current] = match.group(2)
            continue
        name = re.match(r"[a-z_]+", line).group(0)
        if kinds[current] == "histogram":
            name = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name == current, line
    return kinds


def read_document():
    """What docs/metrics.md says of each metric: its kind, and its labels."""
    with open(DOCUMENT, encoding="utf-8") as file:
        rows = re.findall(r"^\| `([a-z_]+)(?:\{([a-z_,]*)\})?` \| (\w+) \| \S", file.read(), re.M)
    document = {}
    for name, labels, kind in rows:
        assert name not in document, name
        document[name] = (kind, labels)
    return document


def labels_of(figures, name):
    """The labels of a metric, but for the bounds of a histogram."""
    for figure in figures:
        match = re.match(re.escape(name) + r"(?:_bucket|_sum|_count)?(?:\{(.*)\})?$", figure)
        if match:
            names = re.findall(r'([a-z_]+)="', match.group(1) or "")
            return ",".join(label for label in names if label != "le")
    return None


class MetricsTest(CommandFixture):
    def figures(self, directory):
        answer = ask(directory, "/metrics")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.headers["Content-Type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        return read_figures(answer.body)

    def cluster(self):
        """Two nodes that have met, each with an event."""
        first = self.init("n1")
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        node = self.start(first)
        self.start(second, "--join", node.address)
        for directory in first, second:
            self.check(gossip("publish", "--dir", directory, "x"), OK)
        wait_until(lambda: self.figures(first)["gossip_clock_events"] == 2
                   and self.figures(first)['gossip_peers{state="alive"}'] == 1, "both events")
        return first, second

    def test_health(self):
        directory = self.init()
        self.start(directory)
        for path, body in ("/healthz", "ok\n"), ("/readyz", "ready\n"):
            answer = ask(directory, path)
            self.assertEqual((answer.status, answer.body), (200, body))
            self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=utf-8")
            answer = ask(directory, path, "HEAD")
            self.assertEqual((answer.status, answer.body), (200, ""))
            answer = ask(directory, path, "POST", b"x")
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))

    def test_not_ready(self):
        """A node that has met others waits after a start for what they hold of it."""
        _, directory = self.cluster()
        for node in self.nodes:
            self.assertEqual(node.end()[0], OK)
        self.start(directory, "--alone-after", "1h")
        answer = ask(directory, "/readyz")
        self.assertEqual(answer.status, 503)
        self.assertRegex(answer.body, r"^asking: .*; in \d+ s .*\n$")
        self.assertEqual(ask(directory, "/healthz").status, 200)
        self.assertEqual(self.figures(directory)["gossip_ready"], 0)

    def test_figures(self):
        first, _ = self.cluster()
        figures = self.figures(first)
        self.assertEqual(figures["gossip_events_published_total"], 1)
        self.assertEqual(figures["gossip_events_delivered_total"], 1)
        self.assertEqual(figures["gossip_boot"], 1)
        self.assertEqual(figures["gossip_ready"], 1)
        self.assertGreater(figures['gossip_datagrams_received_total{verdict="accepted"}'], 0)
        self.assertGreater(figures["gossip_exchanges_total"], 0)
        self.assertEqual(figures["gossip_commit_duration_seconds_count"],
                         figures['gossip_store_calls_total{call="save"}'])
        self.assertGreaterEqual(figures["gossip_commit_duration_seconds_count"],
                                figures["gossip_commits_total"])
        self.assertEqual(figures['gossip_store_size_bytes{file="store.db"}'],
                         os.stat(os.path.join(first, "store.db")).st_size)
        self.assertGreater(figures["gossip_store_disk_free_bytes"], 0)
        self.assertGreater(figures["process_resident_memory_bytes"], 1 << 20)
        with open("/proc/uptime", encoding="ascii") as file:
            uptime = float(file.read().split()[0])
        self.assertLess(0, figures["process_cpu_seconds_total"])
        self.assertLess(figures["process_cpu_seconds_total"], uptime)

    def test_histogram(self):
        first, _ = self.cluster()
        figures = self.figures(first)
        counts = [(float(re.search('le="(.*)"', name).group(1)), count)
                  for name, count in figures.items() if "_duration_seconds_bucket" in name]
        self.assertEqual(counts, sorted(counts))
        self.assertEqual([count for _, count in counts], sorted(count for _, count in counts))
        self.assertEqual(counts[-1], (float("inf"), figures["gossip_commit_duration_seconds_count"]))
        self.assertGreater(figures["gossip_commit_duration_seconds_sum"], 0)

    def test_counters_grow(self):
        first, second = self.cluster()
        kinds = read_kinds(ask(first, "/metrics").body)
        before = self.figures(first)
        self.check(gossip("publish", "--dir", second, "y"), OK)
        wait_until(lambda: self.figures(first)["gossip_clock_events"] == 3, "the third event")
        after = self.figures(first)
        for name, number in before.items():
            metric = re.sub(r"\{.*", "", name)
            if kinds.get(metric) == "counter" or metric.startswith("gossip_commit_duration"):
                self.assertGreaterEqual(after[name], number, name)
        self.assertEqual(after["gossip_events_delivered_total"], 2)

    def test_document(self):
        """docs/metrics.md has every metric with its kind and labels, and no other."""
        first, _ = self.cluster()
        text = ask(first, "/metrics").body
        figures = read_figures(text)
        shown = {name: (kind, labels_of(figures, name)) for name, kind in read_kinds(text).items()}
        self.assertEqual(read_document(), shown)

    def test_promtool(self):
        if not shutil.which("promtool"):
            SKIPPED.append("test_promtool: there is no promtool (Debian package prometheus)")
            return
        first, _ = self.cluster()
        done = subprocess.run(["promtool", "check", "metrics"], input=ask(first, "/metrics").body,
                              capture_output=True, timeout=PATIENCE, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


if __name__ == "__main__":
    program = unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2, exit=False)
    for line in SKIPPED:
        print("skipped:", line)
    sys.exit(not program.result.wasSuccessful() or (77 if SKIPPED else 0))
