#!/usr/bin/env python3
"""The shipped command on a system that gives it too little: room, descriptors, or a disk to write to.

usage: system_faults.py GOSSIP

File systems are made in a mount namespace of our own, and system calls are made to fail by strace.
Exit status 77: all that could be tried went well, and what could not is said with the reason.
"""

import fcntl
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
INPUT_OUTPUT, LOCKED, PERMISSION = 74, 75, 77
# What a file system that has become read-only refuses.
WRITES = "pwrite64,ftruncate,rename,unlink,openat"


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


def second_process(root):
    """D16: a second process is refused at once, and told who the first is; that one goes on."""
    directory = make(os.path.join(root, "second"))
    node = Node(directory)
    expect(node.start() and node.publish(b"one") == 1, "does not start", node.lines)
    quickest = lives.PATIENCE
    for _ in range(3):
        started = time.monotonic()
        code, text = run_node(directory)
        quickest = min(quickest, time.monotonic() - started)
        expect(code == LOCKED and str(node.process.pid) in text, "is not refused:", code, text)
        # What looks at the files besides takes no lock away: the next one is refused as well.
        expect(gossip("verify", "--dir", directory).returncode == LOCKED, "is verified in use")
        with open(os.path.join(directory, "store.db"), "rb") as file:
            file.read()
    expect(quickest < 0.5, "is refused only after", quickest, "s")
    expect(node.publish(b"two") == 2, "is disturbed")
    expect(gossip("backup", "--dir", directory, directory + ".copy").returncode == 0, "no backup")
    expect(run_node(directory)[0] == LOCKED, "has lost its lock over a backup")
    expect(node.end() == 0, "does not stop")
    require_sound(directory)


def threads(root):
    """D19: it has one thread and no child, so that no limit on either is in its way."""
    directory = make(os.path.join(root, "threads"))
    node = Node(directory)
    expect(node.start() and node.publish(b"one") == 1, "does not start", node.lines)
    place = "/proc/%d/task" % node.process.pid
    expect(os.listdir(place) == [str(node.process.pid)], "has threads:", os.listdir(place))
    with open("%s/%d/children" % (place, node.process.pid), encoding="ascii") as file:
        expect(file.read() == "", "has children")
    expect(node.end() == 0, "does not stop")


def nobody_reads_the_log(root):
    """D19: its standard error is a pipe that is full: it answers all the same, and stops."""
    directory = make(os.path.join(root, "pipe"))
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 512)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    process = subprocess.Popen([GOSSIP, "node", "--dir", directory, "--listen", "127.0.0.1:0"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writer)
    end = time.monotonic() + lives.PATIENCE
    while gossip("publish", "--dir", directory, "x").returncode != 0:
        expect(time.monotonic() < end and process.poll() is None, "does not answer")
    expect(spent(process.pid) < 1, "is busy")
    process.terminate()
    expect(process.wait(lives.PATIENCE) == 0, "does not stop")
    os.close(reader)
    os.close(writer)
    require_sound(directory)


def signals(root):
    """D20: signals that end it lose nothing; those that ask it to end are obeyed at once."""
    directory = make(os.path.join(root, "signals"))
    asked = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    others = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT]
    count = 0
    for number in [*asked, *others]:
        # A shell has what it runs in the background ignore some, and that is passed on.
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for number in [*asked, *others, signal.SIGKILL]:
        node = Node(directory, "--alone-after", "1ms")
        expect(node.start(), "does not start", node.lines)
        node.process.send_signal(signal.SIGPIPE)
        count += 1
        expect(node.publish(b"event") == count, "event", count, "has another number")
        started = time.monotonic()
        code = node.end(number)
        expect(code == (0 if number in asked else -number), number, "ends it with", code)
        expect(time.monotonic() - started < 2, "takes long to stop at", number)
    require_sound(directory)


def no_randomness(root):
    """D19: without randomness neither a node nor a key is made: a reason, at once."""
    directory = make(os.path.join(root, "random"))
    injection = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=getrandom", "-e",
                 "inject=getrandom:error=EIO", GOSSIP]
    for arguments in (["init", "--dir", directory + ".new", "--name", "n2"],
                      ["node", "--dir", directory, "--listen", "127.0.0.1:0"]):
        done = subprocess.run([*injection, *arguments], capture_output=True, text=True,
                              timeout=lives.PATIENCE, check=False)
        expect(done.returncode == INPUT_OUTPUT and "getrandom()" in done.stderr, arguments[0],
               "goes on without randomness:", done.returncode, done.stderr)
    expect(not os.path.exists(os.path.join(directory + ".new", "node.key")), "has made a key")
    require_sound(directory)


def read_only_while_running(root):
    """D9: its file system becomes read-only under it: it ends, and sends nothing more."""
    directory = make(os.path.join(root, "became-read-only"))
    node = Node(directory)
    expect(node.start() and node.publish(b"one") == 1, "does not start", node.lines)
    trace = directory + ".trace"
    tracer = subprocess.Popen(
        ["strace", "-p", str(node.process.pid), "-f", "-y", "-o", trace,
         "-e", "trace=" + WRITES + ",sendmmsg,sendmsg", "-e", "inject=" + WRITES + ":error=EROFS"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    attached = tracer.stderr.readline()
    expect("attached" in attached, "strace:", attached)
    answer = node.publish(b"two")
    expect(answer == lives.UNKNOWN, "says of an event that cannot be written:", answer)
    code = node.process.wait(lives.PATIENCE)
    tracer.wait(lives.PATIENCE)
    tracer.stderr.close()
    expect(code == INPUT_OUTPUT, "ends with", code, node.lines)
    expect(any("store.db" in line for line in node.lines), "does not say of what", node.lines)
    life = lives.Life(directory)
    with open(trace, encoding="utf-8", errors="replace") as file:
        life.trace = file.readlines()
    expect(lives.check_silence(life), "nothing was refused:", life.trace)
    life.note(b"one", 1)
    life.in_flight = 1
    lives.check(life)


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
    expect("mount its file system for writing" in text, "does not say what to do:", text)
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


def full_at_init(root):
    """Where there is no room for a store, init leaves nothing behind, and can be done again."""
    place = os.path.join(root, "full-at-init")
    os.mkdir(place)
    mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", place)
    there = os.path.join(place, "there")
    os.mkdir(there)
    ballast = os.path.join(place, "ballast")
    fill(ballast)
    for directory in there, os.path.join(place, "new"):
        made = gossip("init", "--dir", directory, "--name", "n1")
        expect(made.returncode != 0 and b"make room" in made.stderr, "init:", made.stderr)
        expect(sorted(os.listdir(place)) == ["ballast", "there"] and not os.listdir(there),
               "init leaves", os.listdir(place), os.listdir(there))
    os.unlink(ballast)
    make(there)


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
            return 1 if run_all([read_only, full, full_at_init], root) else 0
        failed = run_all([file_size_limit, descriptors, stopped_and_continued, second_process,
                          threads, nobody_reads_the_log, signals], root)
        reasons = []
        can_mount = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", root],
                                   capture_output=True, check=False)
        if can_mount.returncode != 0:
            reasons.append("no mount namespace of our own: " + can_mount.stderr.decode().strip())
        else:
            failed += subprocess.run(["unshare", "-Urm", sys.executable, __file__, GOSSIP, MOUNTED],
                                     check=False).returncode
        cannot_inject = lives.can_inject()
        if cannot_inject is not None:
            reasons.append(cannot_inject)
        else:
            # Where a process is traced, nothing else can look into it for leaks.
            os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
            failed += run_all([no_randomness, read_only_while_running], root)
        for reason in reasons:
            print("not done: " + reason)
        return 1 if failed else lives.SKIPPED if reasons else 0
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
