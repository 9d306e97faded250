#!/usr/bin/env python3
"""Health and figures of a real node: on its socket, and on a TCP port.

usage: cli_metrics.py GOSSIP METRICS [NAME]...    GOSSIP is the command, METRICS is docs/metrics.md;
                                                  NAMEs choose tests

Exit status 77: all that could be tried went well, and what could not is said with the reason.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import unittest

import cli
from cli import (CONFIGURATION, OK, PATIENCE, USAGE, CommandFixture, Connection, gossip,
                 wait_until)

DOCUMENT = sys.argv[2]
SKIPPED = []


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


def read_alerts():
    """The expressions that docs/metrics.md says to alert on."""
    with open(DOCUMENT, encoding="utf-8") as file:
        table = file.read().split("\n## What to alert on\n")[1].split("\n## ")[0]
    rows = [row.replace("\\|", "\0") for row in table.splitlines() if row.startswith("| `")]
    return [re.match(r"\| `([^`]+)`", row).group(1).replace("\0", "|") for row in rows]


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

    def test_alerts(self):
        """What docs/metrics.md says to alert on asks for figures that there are."""
        first, _ = self.cluster()
        figures = self.figures(first)
        alerts = read_alerts()
        self.assertGreater(len(alerts), 10)
        for alert in alerts:
            for name, label, compared, value in re.findall(
                    r'(gossip_[a-z_]+)(?:\{([a-z]+)(=~?)"([^"]*)"\})?', alert):
                for wanted in value.split("|") if compared == "=~" else [value]:
                    whole = '%s{%s="%s"' % (name, label, wanted) if label else name
                    self.assertTrue([one for one in figures if one.startswith(whole)], alert)

    def test_promtool_alerts(self):
        if not shutil.which("promtool"):
            SKIPPED.append("test_promtool_alerts: there is no promtool (Debian package prometheus)")
            return
        rules = self.path("rules.yml")
        with open(rules, "w", encoding="utf-8") as file:
            json.dump({"groups": [{"name": "gossip", "rules": [
                {"alert": "alert%d" % number, "expr": alert}
                for number, alert in enumerate(read_alerts())]}]}, file)
        done = subprocess.run(["promtool", "check", "rules", rules], capture_output=True,
                              timeout=PATIENCE, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_promtool(self):
        if not shutil.which("promtool"):
            SKIPPED.append("test_promtool: there is no promtool (Debian package prometheus)")
            return
        first, _ = self.cluster()
        done = subprocess.run(["promtool", "check", "metrics"], input=ask(first, "/metrics").body,
                              capture_output=True, timeout=PATIENCE, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


class Port:
    """What a node with --http answers, byte for byte."""

    def __init__(self, node):
        host, port = re.search(r" http=(\S+):(\d+) ", node.wait_line("event=ready")).groups()
        self.address = (host.strip("[]"), int(port))

    def connect(self):
        connection = socket.create_connection(self.address, PATIENCE)
        connection.settimeout(PATIENCE)
        return connection

    def ask(self, request):
        """Sends bytes and returns all that comes until the node closes: "" where nothing does."""
        with self.connect() as connection:
            try:
                connection.sendall(request)
            except (BrokenPipeError, ConnectionResetError):
                pass  # It has answered before it had read all.
            return read_all(connection)

    def get(self, path, host="localhost", method="GET"):
        answer = self.ask(b"%s %s HTTP/1.1\r\nHost: %s\r\n\r\n"
                          % (method.encode(), path.encode(), host.encode()))
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), head, body


def read_all(connection):
    answer = b""
    try:
        while True:
            part = connection.recv(65536)
            if not part:
                break
            answer += part
    except ConnectionResetError:
        pass
    return answer.decode()


# What the socket answers and the port must not.
ELSEWHERE = [("GET", "/v1/status"), ("GET", "/v1/log"), ("GET", "/v1/watch"), ("GET", "/v1/clock"),
             ("GET", "/v1/export"), ("GET", "/v1/wait?for=in-step"), ("POST", "/v1/events"),
             ("POST", "/v1/stop"), ("POST", "/v1/backup?file=/tmp/x"), ("GET", "/"), ("GET", "*"),
             ("GET", "//metrics"), ("GET", "/metrics/"), ("GET", "/metrics/../v1/status"),
             ("GET", "/v1/../metrics"), ("GET", "/%76%31/status"), ("DELETE", "/v1/events"),
             ("CONNECT", "localhost:1"), ("OPTIONS", "*")]


class PortTest(CommandFixture):
    def begin(self, address="127.0.0.1:0"):
        directory = self.init()
        node = self.start(directory, "--http", address)
        return directory, node, Port(node)

    def still_well(self, directory, port):
        self.assertEqual(port.get("/healthz")[::2], (200, "ok\n"))
        self.check(gossip("publish", "--dir", directory, "x"), OK)

    def test_answers(self):
        directory, _, port = self.begin()
        self.assertEqual(port.get("/healthz")[::2], (200, "ok\n"))
        self.assertEqual(port.get("/readyz")[::2], (200, "ready\n"))
        status, head, body = port.get("/metrics?x=1")
        self.assertEqual(status, 200)
        self.assertIn("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n", head + "\r\n")
        self.assertIn("connection: close\r\n", head.lower() + "\r\n")
        self.assertEqual(read_kinds(body), read_kinds(ask(directory, "/metrics").body))
        self.assertEqual(port.get("/metrics", method="HEAD")[::2], (200, ""))
        # As those ask that speak HTTP/1.0 and name no host.
        self.assertRegex(port.ask(b"GET /healthz HTTP/1.0\r\n\r\n"), r"^HTTP/1\.\d 200 ")

    def test_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError as error:
            SKIPPED.append("test_ipv6: this machine has no ::1: %s" % error)
            return
        _, _, port = self.begin("[::1]:0")
        self.assertEqual(port.get("/readyz", "[::1]:%d" % port.address[1])[0], 200)

    def test_nothing_else(self):
        directory, node, port = self.begin()
        for method, path in ELSEWHERE:
            with self.subTest(method=method, path=path):
                status, _, body = port.get(path, method=method)
                self.assertIn(status, (400, 404))
                self.assertNotIn("n1", body)
        for method in "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW":
            with self.subTest(method=method):
                status, head, _ = port.get("/metrics", method=method)
                self.assertEqual(status, 405)
                self.assertIn("Allow: GET, HEAD\r\n", head + "\r\n")
        self.assertIsNone(node.process.poll())
        self.assertEqual(gossip("log", "--dir", directory).out, b"")

    def test_host(self):
        _, _, port = self.begin()
        for host in "localhost", "LOCALHOST:1", "127.0.0.1", "127.1.2.3:80", "[::1]:9464":
            self.assertEqual(port.get("/metrics", host)[0], 200, host)
        for host in ("example.org", "localhost.example.org", "127.0.0.1.nip.io", "10.0.0.1", "[::]",
                     "localhost:x", "a" * 300):
            for path in "/metrics", "/healthz", "/v1/status":
                status, _, body = port.get(path, host)
                self.assertEqual(status, 403, host)
                self.assertNotIn("gossip_", body)
        self.assertRegex(port.ask(b"GET /metrics HTTP/1.1\r\n\r\n"), r"^HTTP/1\.1 40[03] ")

    def test_hostile(self):
        """Whatever comes, the node goes on, and gives out nothing but an error."""
        directory, _, port = self.begin()
        head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
        requests = [
            b"", b"\r\n" * 1000, b"\0" * 1000, b"\xff" * 100000, b"GET /metrics\r\n\r\n",
            b"GET  /metrics  HTTP/1.1\r\n\r\n", b"GET /metrics HTTP/9.9\r\nHost: localhost\r\n\r\n",
            b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            head + b"X: " + b"a" * 100000 + b"\r\n\r\n",
            head + b"X: y\r\n" * 10000 + b"\r\n",
            head + b"\0: \0\r\n :\r\n\r\n",
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200),
        ]
        for request in requests:
            with self.subTest(request=request[:60]):
                with port.connect() as connection:
                    try:
                        connection.sendall(request)
                        connection.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass  # It was closed before it was read to its end.
                    answer = read_all(connection)
                if answer and "gossip_" in answer:
                    self.assertRegex(answer, r"^HTTP/1\.[01] 200 ")
                elif answer:
                    self.assertRegex(answer, r"^HTTP/1\.[01] (4\d\d|505) ")
        self.still_well(directory, port)

    def test_body(self):
        """A body is never waited for, and one connection carries one request."""
        directory, _, port = self.begin()
        head = b"%s /metrics HTTP/1.1\r\nHost: localhost\r\n"
        for more in b"Content-Length: 1000000000000\r\n", b"Transfer-Encoding: chunked\r\n":
            for method, status in (b"POST", 405), (b"GET", 200):
                answer = port.ask(head % method + more + b"Expect: 100-continue\r\n\r\n")
                self.assertRegex(answer, r"^HTTP/1\.1 %d " % status)
        answer = port.ask((head % b"GET" + b"\r\n") * 3)
        self.assertEqual(answer.count("HTTP/1.1 200 "), 1)
        self.still_well(directory, port)

    def test_slow(self):
        """Who says little for long keeps neither the node from its work nor others out."""
        directory, _, port = self.begin()
        guests = [port.connect() for _ in range(24)]
        for index, guest in enumerate(guests):
            guest.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"[:index])
        self.check(gossip("publish", "--dir", directory, "x"), OK)
        self.assertEqual(ask(directory, "/healthz").status, 200)
        # Bytes that come now and then do not prolong it.
        gone = set()

        def drip():
            for guest in guests:
                try:
                    guest.send(b"X")
                except OSError:
                    gone.add(guest)
            return len(gone) >= 16

        wait_until(drip, "the first that came are sent away")
        for guest in guests:
            guest.close()
        self.still_well(directory, port)

    def test_end(self):
        """A guest holds up the end of a node for a moment at most."""
        directory, node, port = self.begin()
        with port.connect() as guest:
            guest.sendall(b"GET /he")
            wait_until(lambda: ask(directory, "/readyz").status == 200, "the node runs")
            code, took = node.end()
        self.assertEqual(code, OK)
        self.assertLess(took, 10)
        # And the port is free again.
        again = self.start(directory, "--http", "%s:%d" % port.address)
        self.assertEqual(Port(again).get("/healthz")[0], 200)

    def test_usage(self):
        directory = self.init()
        for address in ("0.0.0.0:9464", ":9464", "[::]:9464", "192.0.2.1:9464", "localhost:9464",
                        "example.org:9464", "127.0.0.1", "127.0.0.1:65536", "9464", ""):
            with self.subTest(address=address):
                result = gossip("node", "--dir", directory, "--listen", "127.0.0.1:0", "--http",
                                address)
                self.check(result, USAGE, out=b"", err=['--http "%s": ' % address, "gossip node --help"])
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            result = gossip("node", "--dir", directory, "--listen", "127.0.0.1:0", "--http", address)
            self.check(result, CONFIGURATION, err=["--http " + address, "choose another"])
        # None of these has counted as a start.
        self.assertIn(" boot=1 ", self.start(directory).wait_line("event=ready"))


if __name__ == "__main__":
    program = unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2, exit=False)
    for line in SKIPPED:
        print("skipped:", line)
    sys.exit(not program.result.wasSuccessful() or (77 if SKIPPED else 0))
