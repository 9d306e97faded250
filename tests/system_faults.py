#!/usr/bin/env python3
"""The shipped command on a system that gives it too little: room, descriptors, or a disk to write to.

usage: system_faults.py GOSSIP

File systems are made in a mount namespace of our own; where there can be none, that is said.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import strace_faults as lives
from strace_faults import Failure, Node, expect, gossip

GOSSIP = lives.GOSSIP
MOUNTED = "--in-a-namespace"
INPUT_OUTPUT, PERMISSION = 74, 77


def make(directory, name="n1"):
    made = gossip("init", "--dir", directory, "--name", name)
    expect(made.returncode == 0, "init:", made.stderr)
    return directory


def run_node(directory):
    """Runs a node that is expected not to start; (exit code, stderr)."""
    done = subprocess.run([GOSSIP, "node", "--dir", directory, "--listen", "127.0.0.1:0"],
                          capture_output=True, text=True, timeout=lives.PATIENCE, check=False)
    return done.returncode, done.stderr


def require_sound(directory):
    life = lives.Life(directory)
    life.in_flight = 1000  # What is there is not counted here; that it has no holes is checked.
    lives.check(life)


def file_size_limit(root):
    """A file that may grow no further is a full disk, and never a signal."""
    directory = make(os.path.join(root, "limit"))
    node = Node(directory)
    expect(node.start(), "does not start", node.lines)
    expect(node.publish(b"one") == 1, "does not publish")
    size = os.path.getsize(os.path.join(directory, "store.db-wal")) + 8192
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    answer = node.publish(b"x" * 100000)
    expect(answer in (lives.REFUSED, lives.UNKNOWN), "takes what there is no room for:", answer)
    code = node.process.poll()
    if answer == lives.REFUSED:
        expect(code is None, "ends for want of room", code)
    code = node.end()
    expect(code in (0, INPUT_OUTPUT), "is ended by a signal, or with", code)
    require_sound(directory)


def descriptors(root):
    """Too few descriptors to start: a reason, at once."""
    directory = make(os.path.join(root, "descriptors"))
    refused = 0
    for count in range(4, 20):
        code, text, seconds = run_node_until(directory, count)
        if code is None:
            break
        refused += 1
        expect(code > 0 and "gossip: " in text or code == 127, count, "descriptors:", code,
               text)
        expect(seconds < lives.PATIENCE / 4, "takes long to say so")
    expect(refused > 2, "needs no descriptors")
    require_sound(directory)


def run_node_until(directory, count):
    """(None, ...) if the node comes up with so many descriptors."""
    started = time.monotonic()
    process = subprocess.Popen([GOSSIP, "node", "--dir", directory, "--listen", "127.0.0.1:0"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                                     (count, count)))
    first = process.stderr.readline()
    if "event=ready" in first:
        process.terminate()
    rest = process.stderr.read()
    code = process.wait(lives.PATIENCE)
    process.stderr.close()
    return None if "event=ready" in first else code, first + rest, time.monotonic() - started


def stopped_and_continued(root):
    """What was stopped for a while does not catch up on its timers in a burst."""
    directory = make(os.path.join(root, "stopped"))
    node = Node(directory, "--join", "127.0.0.1:9")
    expect(node.start(), "does not start", node.lines)
    node.process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    before = spent(node.process.pid)
    node.process.send_signal(signal.SIGCONT)
    expect(node.publish(b"after") == 1, "does not go on")
    expect(spent(node.process.pid) - before < 0.5, "is busy with what it has missed")
    started = time.monotonic()
    expect(node.end() == 0, "does not stop")
    expect(time.monotonic() - started < 2, "takes long to stop")
    require_sound(directory)


def spent(pid):
    """Processor seconds of a process."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def read_only(root):
    """A file system that may only be read is refused at the start, and left as it is."""
    place = os.path.join(root, "read-only")
    os.mkdir(place)
    mount("-t", "tmpfs", "tmpfs", place)
    directory = make(os.path.join(place, "n1"))
    node = Node(directory)
    expect(node.start() and node.publish(b"one") == 1, "does not start", node.lines)
    expect(node.end(signal.SIGKILL) == -signal.SIGKILL, "does not die")
    mount("-o", "remount,ro", place)
    before = tree(directory)
    code, text = run_node(directory)
    expect(code == PERMISSION and "gossip: " in text, "starts where it may not write:", code, text)
    expect(tree(directory) == before, "changes what it may not write")
    mount("-o", "remount,rw", place)
    require_sound(directory)


def tree(directory):
    found = {}
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                found[name] = file.read()
    return found


def full(root):
    """A full file system at the start, while it runs, and with room again."""
    place = os.path.join(root, "full")
    os.mkdir(place)
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", place)
    directory = make(os.path.join(place, "n1"))
    node = Node(directory)
    expect(node.start() and node.publish(b"one") == 1, "does not start", node.lines)
    ballast = os.path.join(place, "ballast")
    fill(ballast)
    refused = 0
    for _ in range(50):
        answer = node.publish(b"x" * 10000)
        refused += answer == lives.REFUSED
        if refused:
            break
    expect(refused == 1, "never says that the disk is full")
    expect(gossip("log", "--dir", directory).returncode == 0, "shows nothing when full")
    os.unlink(ballast)
    end = time.monotonic() + lives.PATIENCE
    while isinstance(node.publish(b"again"), str):
        expect(time.monotonic() < end, "does not go on by itself when there is room")
        time.sleep(0.1)
    expect(node.end(signal.SIGKILL) == -signal.SIGKILL, "does not die")
    fill(ballast)
    code, text, _ = run_node_until(directory, 256)
    expect(code in (None, INPUT_OUTPUT), "on a full disk it ends with", code, text)
    os.unlink(ballast)
    require_sound(directory)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"b" * 4096)
        except OSError:
            pass


def run_all(tests, root):
    failed = 0
    for test in tests:
        try:
            test(root)
            print("ok: " + test.__doc__, flush=True)
        except Failure as failure:
            failed += 1
            print("FAILED: %s\n  %s" % (test.__doc__, str(failure)[:2000]), flush=True)
    return failed


def main():
    root = tempfile.mkdtemp(prefix="gossip-system-")
    try:
        if MOUNTED in sys.argv:
            return 1 if run_all([read_only, full], root) else 0
        failed = run_all([file_size_limit, descriptors, stopped_and_continued], root)
        can_mount = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", root],
                                   capture_output=True, check=False)
        if can_mount.returncode != 0:
            print("not done: no mount namespace of our own: " + can_mount.stderr.decode().strip())
        else:
            failed += subprocess.run(["unshare", "-Urm", sys.executable, __file__, GOSSIP, MOUNTED],
                                     check=False).returncode
        return 1 if failed else 0
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
