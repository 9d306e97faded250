#!/usr/bin/env python3
"""Publishes to a running node and shows what it delivers, with Python's standard library alone.

    watch.py DIR [TEXT...]

DIR is the node's directory. Publishes each TEXT as an event; then shows all events that the node
has, with their clocks, and goes on to show new ones until it is interrupted or, with GOSSIP_COUNT=N
in the environment, until N were shown.
"""

import http.client
import json
import os
import socket
import sys
import time


class Node(http.client.HTTPConnection):
    """HTTP over the Unix socket in a node's directory."""

    def __init__(self, directory):
        super().__init__("localhost", timeout=30)
        self.path = os.path.join(directory, "api.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        """The lines of the answer, each a JSON object."""
        self.request(method, path, body)
        response = self.getresponse()
        answer = response.read().decode()
        if response.status >= 300:
            sys.exit(f"watch: {method} {path}: {response.status} {answer.strip()}")
        return [json.loads(line) for line in answer.splitlines()]


def text_of(event):
    """The payload; one that is no UTF-8 comes as base64."""
    return event["data"] if "data" in event else f"(base64) {event.get('data_base64', '')}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    node = Node(sys.argv[1])
    left = int(os.environ.get("GOSSIP_COUNT", "-1"))
    shown = set()
    for text in sys.argv[2:]:
        [answer] = node.ask("POST", "/v1/events", text.encode())
        print(f"published {answer['dot']}", flush=True)
    while left != 0:
        # The log is in displayed order: what is new may stand between what was shown before.
        for event in node.ask("GET", "/v1/log"):
            if event["dot"] in shown or left == 0:
                continue
            shown.add(event["dot"])
            left -= 1
            clock = " ".join(f"{name}:{count}" for name, count in event["clock"].items())
            # Escaped: what others have written does not command this terminal.
            print(f"{event['dot']} {{{clock}}} {text_of(event)!r}", flush=True)
        if left != 0:
            time.sleep(0.2)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(f"watch: {sys.argv[1]}: {error}; is a node running there?")
