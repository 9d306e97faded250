#!/usr/bin/env python3
"""Golden bytes of every kind, made from docs/protocol.md and from nothing else.

It shares no code with the library, so that a mistake must be made twice to stay hidden. All inputs
are fixed and written beside what was made of them: `field = hex`, one file for each kind. Numbers
are eight bytes, most significant first.

    encoder.py           writes the files beside this one
    encoder.py --check   compares them with what it would write; exit code 1 where they differ
"""

import hashlib
import pathlib
import struct
import sys

# --- Cryptography: RFC 7693 from hashlib, the rest by hand. Slow, and of no use for secrets. ---

P = 2**255 - 19  # The field of Curve25519.
L = 2**252 + 27742317777372353535851937790883648493  # The order of the base point.
D = -121665 * pow(121666, -1, P) % P


def sqrt_ratio(u, v):
    """The even root of u/v."""
    x = pow(u * pow(v, -1, P), (P + 3) // 8, P)
    if (v * x * x - u) % P != 0:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (v * x * x - u) % P == 0
    return x if x % 2 == 0 else P - x


BASE_Y = 4 * pow(5, -1, P) % P
BASE = (sqrt_ratio(BASE_Y**2 - 1, D * BASE_Y**2 + 1), BASE_Y)


def point_add(a, b):
    """RFC 8032, 5.1.4, in extended coordinates."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    e = (y1 - x1) * (y2 - x2) % P
    f = (y1 + x1) * (y2 + x2) % P
    g = 2 * t1 * t2 * D % P
    h = 2 * z1 * z2 % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def base_multiply(scalar):
    """scalar times the base point, as 32 bytes."""
    x, y = BASE
    total, power = (0, 1, 1, 0), (x, y, 1, x * y % P)
    while scalar > 0:
        if scalar & 1:
            total = point_add(total, power)
        power = point_add(power, power)
        scalar >>= 1
    inverse = pow(total[2], -1, P)
    x, y = total[0] * inverse % P, total[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def clamp(data):
    scalar = int.from_bytes(data[:32], "little")
    return scalar & ~7 & ~(1 << 255) | 1 << 254


def ed25519_public(seed):
    return base_multiply(clamp(hashlib.sha512(seed).digest()))


def ed25519_sign(seed, message):
    secret = hashlib.sha512(seed).digest()
    public = ed25519_public(seed)
    r = int.from_bytes(hashlib.sha512(secret[32:] + message).digest(), "little") % L
    big_r = base_multiply(r)
    k = int.from_bytes(hashlib.sha512(big_r + public + message).digest(), "little")
    return big_r + ((r + k * clamp(secret)) % L).to_bytes(32, "little")


def x25519(scalar_bytes, u_bytes):
    """RFC 7748, section 5."""
    scalar = clamp(scalar_bytes)
    x1 = int.from_bytes(u_bytes, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for bit in reversed(range(255)):
        k = scalar >> bit & 1
        if swap ^ k:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = k
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, -1, P) % P).to_bytes(32, "little")


def agree(seed, public):
    """X25519 of two Ed25519 keys, by way of u = (1 + y) / (1 - y)."""
    y = int.from_bytes(public, "little") & ((1 << 255) - 1)
    u = (1 + y) * pow(1 - y, -1, P) % P
    return x25519(hashlib.sha512(seed).digest()[:32], u.to_bytes(32, "little"))


def chacha_rounds(state):
    def quarter(a, b, c, d):
        turns = ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7))
        for first, second, third, turn in turns:
            state[first] = (state[first] + state[second]) & 0xFFFFFFFF
            mixed = state[third] ^ state[first]
            state[third] = (mixed << turn | mixed >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            quarter(column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)


CHACHA_CONSTANT = struct.unpack("<4I", b"expand 32-byte k")


def hchacha20(key, nonce):
    state = [*CHACHA_CONSTANT, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)]
    chacha_rounds(state)
    return struct.pack("<8I", *state[:4], *state[12:])


def chacha20_block(key, counter, nonce):
    initial = [*CHACHA_CONSTANT, *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce)]
    state = list(initial)
    chacha_rounds(state)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(state, initial)))


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for start in range(0, len(message), 16):
        block = message[start : start + 16] + b"\1"
        total = (total + int.from_bytes(block, "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) & (2**128 - 1)).to_bytes(16, "little")


def pad16(data):
    return data + bytes(-len(data) % 16)


def box_seal(key, nonce, header, plain):
    """XChaCha20-Poly1305 (IETF); the tag comes last."""
    key, nonce = hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]
    stream = b"".join(chacha20_block(key, 1 + i, nonce) for i in range((len(plain) + 63) // 64))
    cipher = bytes(a ^ b for a, b in zip(plain, stream))
    lengths = struct.pack("<QQ", len(header), len(cipher))
    tag = poly1305(chacha20_block(key, 0, nonce)[:32], pad16(header) + pad16(cipher) + lengths)
    return cipher + tag


def check_cryptography():
    """The published vectors: RFC 8032 7.1 (TEST 2), RFC 7748 5.2, draft-irtf-cfrg-xchacha A.3."""
    hexed = bytes.fromhex
    seed = hexed("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    assert ed25519_public(seed) == hexed(
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )
    assert ed25519_sign(seed, b"\x72") == hexed(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert x25519(
        hexed("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
        hexed("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
    ) == hexed("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
    assert hchacha20(
        bytes(range(32)), hexed("000000090000004a0000000031415927")
    ) == hexed("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc")
    sealed = box_seal(
        bytes(range(0x80, 0xA0)),
        bytes(range(0x40, 0x58)),
        hexed("50515253c0c1c2c3c4c5c6c7"),
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it.",
    )
    assert sealed[:8] == hexed("bd6d179d3e83d43b")
    assert sealed[-16:] == hexed("c0875924c1c7987947deafd8780acf49")


# --- Notation. ---


def domain(text):
    return text.encode("ascii") + b"\0"


def h256(*parts):
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()


def h128(key, *parts):
    return hashlib.blake2b(b"".join(parts), digest_size=16, key=key).digest()


def u16(value):
    return value.to_bytes(2, "big")


def u32(value):
    return value.to_bytes(4, "big")


def u64(value):
    return value.to_bytes(8, "big")


def varint(value):
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


# Fields of protobuf. None is a field that is absent.


def field_varint(number, value):
    return b"" if value is None else varint(number << 3) + varint(value)


def field_fixed64(number, value):
    return b"" if value is None else varint(number << 3 | 1) + value.to_bytes(8, "little")


def field_bytes(number, value):
    return b"" if value is None else varint(number << 3 | 2) + varint(len(value)) + value


# --- Names, records. ---

CLUSTER_SEED = bytes([1]) * 32
CLUSTER = ed25519_public(CLUSTER_SEED)
CLUSTER_SECRET = bytes(range(0xC0, 0xE0))
ADMIT, EVICT = 1, 2
COUNTER_MAX = 2**62


def record_id(record):
    return h256(domain("gossip/record/1"), record)


class Certificate:
    def __init__(self, key, name, rights, issuer_seed=None):
        issuer = None if issuer_seed is None else ed25519_public(issuer_seed)
        self.name, self.rights, self.issuer = name, rights, issuer
        self.body = (
            field_bytes(1, key)
            + field_bytes(2, name)
            + field_varint(3, rights)
            + field_bytes(4, issuer)
        )
        signature = ed25519_sign(
            CLUSTER_SEED if issuer_seed is None else issuer_seed,
            domain("gossip/certificate/1") + CLUSTER + self.body,
        )
        self.record = b"\1" + self.body + signature
        self.id = record_id(self.record)


class Node:
    def __init__(self, number, name, rights, issuer=None):
        self.seed = bytes([number]) * 32
        self.key = ed25519_public(self.seed)
        self.id = h256(domain("gossip/node/1"), self.key)[:16]
        self.issuer = issuer
        self.certificate = Certificate(
            self.key, name, rights, None if issuer is None else issuer.seed
        )

    def issuer_record(self):
        return None if self.issuer is None else self.issuer.certificate.record


ALICE = Node(2, b"alice", ADMIT | EVICT)
BOB = Node(3, b"bob", 0, ALICE)
CAROL = Node(4, b"carol.with-a_name-of-32-bytes.ok", 0)
NODES = {"alice": ALICE, "bob": BOB, "carol": CAROL}


# --- Events. ---

APPLICATION, CONTEXT, EPOCH_OPEN = 1, 2, 3


def frame(hlc, kind, knowns=(), news=()):
    """knowns: (gap, seq); news: (id, seq)."""
    return (
        u64(hlc)
        + varint(kind)
        + varint(len(knowns))
        + b"".join(varint(gap) + varint(seq) for gap, seq in knowns)
        + varint(len(news))
        + b"".join(author + varint(seq) for author, seq in news)
    )


class Event:
    """seq, kind, body, mentions (their running hash after it), inner, previous, hash, seal."""


class Author:
    def __init__(self, node, epoch):
        self.node, self.epoch = node, epoch
        self.id = h256(domain("gossip/author/1"), node.key, epoch)[:16]
        self.mentions = []
        self.mention_hash = bytes(32)
        self.context = {}
        self.events = []

    def branch(self):
        """Another author of the same name, as one who forks would be."""
        other = Author(self.node, self.epoch)
        other.mentions, other.mention_hash = list(self.mentions), self.mention_hash
        other.context, other.events = dict(self.context), list(self.events)
        return other

    def write(self, hlc, kind, context=(), fields=b"", payload=None):
        """context: (author id, seq) of what grew."""
        knowns, news, before = [], [], 0
        known = {author: 1 + i for i, author in enumerate(self.mentions)}
        for number, seq in sorted((known[a], s) for a, s in context if a in known):
            knowns.append((number - before, seq))
            before = number
        for author, seq in sorted((a, s) for a, s in context if a not in known):
            news.append((author, seq))
        for author, _ in news:
            self.mentions.append(author)
            self.mention_hash = h256(domain("gossip/mention/1"), self.mention_hash, author)
        for author, seq in context:
            self.context[author] = max(seq, self.context.get(author, 0))

        event = Event()
        event.seq = len(self.events) + 1
        event.kind, event.payload = kind, payload
        event.body = frame(hlc, kind, knowns, news) + fields
        event.mentions = self.mention_hash
        event.context = b"".join(a + u64(s) for a, s in sorted(self.context.items()))
        event.inner = h256(event.mentions, event.body)
        event.previous = self.events[-1].hash if self.events else bytes(32)
        event.hash = h256(
            domain("gossip/event/1"),
            CLUSTER,
            self.node.key,
            self.epoch,
            u64(event.seq),
            event.previous,
            u32(len(event.body)),
            event.inner,
        )
        event.seal = ed25519_sign(self.node.seed, domain("gossip/seal/1") + event.hash)
        self.events.append(event)
        return event

    def say(self, hlc, payload, context=()):
        return self.write(hlc, APPLICATION, context, field_bytes(3, payload), payload)

    def event(self, seq):
        return self.events[seq - 1]

    def stream(self, first, last):
        bodies = (event.body for event in self.events[first - 1 : last])
        return b"".join(varint(len(body)) + body for body in bodies)


def stamp(milliseconds, counter=0):
    return milliseconds << 16 | counter


NOON = 1_700_000_000_000

BOB1 = Author(BOB, bytes([0xB1]) * 8)
CAROL1 = Author(CAROL, bytes([0xC1]) * 8)
ALICE1 = Author(ALICE, bytes([0xA1]) * 8)
ALICE2 = Author(ALICE, bytes([0xA2]) * 8)
STRANGER = bytes(range(0x10, 0x20))  # The id of an author of whom nothing else is known here.

for seq in range(1, 66):  # Past a required seal, which is at 64.
    BOB1.say(stamp(NOON + seq), b"b%d" % seq)
for seq in range(1, 4):
    CAROL1.say(stamp(NOON, seq), b"c%d" % seq)

LONG = bytes((7 * i + i // 256) % 256 for i in range(1500))  # More than one datagram holds.

ALICE1.say(stamp(NOON + 1000), b"first")
ALICE1.say(stamp(NOON + 1001), b"second", [(BOB1.id, 3), (CAROL1.id, 1)])
ALICE1.say(stamp(NOON + 1001, 1), b"third", [(BOB1.id, 4), (CAROL1.id, 2)])
ALICE1.write(stamp(NOON + 1002), CONTEXT, [(CAROL1.id, 3), (STRANGER, COUNTER_MAX)])
ALICE1.say(stamp(NOON + 1003), LONG, [(BOB1.id, 300)])
ALICE1.write(  # All fields, a repeated one (the last counts), and one of a later version.
    stamp(NOON + 1004, 65535),
    APPLICATION,
    [(BOB1.id, 4), (CAROL1.id, 3)],  # Raises nothing: ignored.
    field_bytes(1, b"key")
    + field_bytes(2, field_bytes(1, b"of a later version"))
    + field_bytes(3, b"not this one")
    + field_bytes(4, b"once")
    + field_varint(100, 1)
    + field_bytes(3, b"this one"),
    b"this one",
)
ALICE1.write(stamp(2**48 - 1), 7, [], b"of a later version")  # Opaque, stamped far ahead.
ALICE1.write(stamp(NOON + 1005), APPLICATION, [], bytes.fromhex("1aff"))  # Fields cut off.
ALICE1.say(stamp(NOON + 1006), b"")
ALICE2.write(stamp(NOON + 2000), EPOCH_OPEN, [(ALICE1.id, 9)])
ALICE2.say(stamp(NOON + 2001), b"again", [(BOB1.id, 5)])

AUTHORS = {"alice1": ALICE1, "alice2": ALICE2, "bob1": BOB1, "carol1": CAROL1}


# --- What is sent. ---

HELLO, WELCOME, BOX = 1, 2, 3
DIGEST, PULL, PART, ADDRESSES = 1, 2, 3, 4


def header(kind):
    return b"gsp" + bytes([1, kind, 0, 0, 0])


def greeting(kind, node, signed, message, size=None):
    """A hello or welcome; signed is what its signature covers."""
    rest = u16(len(message)) + message + ed25519_sign(node.seed, signed)
    if size is not None:
        rest += bytes(size - 24 - len(rest))
    tag = h128(CLUSTER_SECRET, domain("gossip/tag/1"), header(kind), rest)
    return header(kind) + tag + rest


def hello_message(node, boot_count, boot_id, nonce, echo=None, token=None, counter=None):
    return (
        field_bytes(1, node.certificate.record)
        + field_bytes(2, node.issuer_record())
        + field_varint(3, boot_count)
        + field_fixed64(4, boot_id)
        + field_bytes(5, nonce)
        + field_bytes(6, echo)
        + field_bytes(7, token)
        + field_varint(8, counter)
    )


def pair_key(node, other):
    lesser, greater = sorted((node.key, other.key))
    return h256(domain("gossip/pair/1"), agree(node.seed, other.key), CLUSTER, lesser, greater)


def boxed(sender, receiver, boot_id, counter, nonce, plain):
    additional = header(BOX) + receiver.id + sender.id + u64(boot_id) + u64(counter)
    return additional + nonce + box_seal(pair_key(sender, receiver), nonce, additional, plain)


def leaf(author, have, head, cut):
    return h256(domain("gossip/leaf/1"), author, u64(have), head, u64(cut))


def trie(leaves, depth=0, note=None, path=""):
    """leaves: {id: leaf}. note, where given, is told of every branch by its path in half-bytes."""
    if len(leaves) <= 1:
        return next(iter(leaves.values()), bytes(32))
    children = b""
    for digit in "0123456789abcdef":
        below = {i: value for i, value in leaves.items() if i.hex()[depth] == digit}
        children += trie(below, depth + 1, note, path + digit)
    value = h256(domain("gossip/branch/1"), children)
    if note is not None:
        note(path, value)
    return value


def head_hash(exchange, author, have, head):
    return h128(exchange, domain("gossip/head/1"), author, u64(have), head)[:8]


def list_message(first, last, entries):
    return field_bytes(1, first) + field_bytes(2, last) + field_bytes(3, entries)


def digest_message(exchange, step, root, records_root, token=None, authors=None, records=None):
    return (
        field_bytes(1, exchange)
        + field_varint(2, step)
        + field_bytes(3, root)
        + field_bytes(4, records_root)
        + field_bytes(5, token)
        + field_bytes(6, authors)
        + field_bytes(7, records)
    )


def want_message(author, first, last, gaps=()):
    return (
        field_bytes(1, author)
        + field_varint(2, first)
        + field_varint(3, last)
        + b"".join(
            field_bytes(4, field_varint(1, offset) + field_varint(2, size)) for offset, size in gaps
        )
    )


def pull_message(request, events, size, wants=(), records=None):
    return (
        field_fixed64(1, request)
        + field_varint(2, events)
        + field_varint(3, size)
        + b"".join(field_bytes(4, want) for want in wants)
        + field_bytes(5, records)
    )


def introduction_message(author):
    return (
        field_bytes(1, author.node.key)
        + field_bytes(2, author.epoch)
        + field_bytes(3, author.node.certificate.record)
        + field_bytes(4, author.node.issuer_record())
    )


def run_part_message(author, first, last, offset, size, introduce, seal=True, link=None):
    stream = author.stream(first, last)
    ends = offset + size == len(stream)
    return (
        field_bytes(1, author.id)
        + field_varint(2, first)
        + field_varint(3, last)
        + field_varint(4, len(stream))
        + field_varint(5, offset)
        + field_bytes(6, author.event(first).previous if offset == 0 else None)
        + field_bytes(7, stream[offset : offset + size])
        + field_bytes(8, author.event(last).seal if ends and seal else None)
        + field_bytes(9, introduction_message(author) if introduce else None)
        + field_bytes(10, link)
    )


def record_part_message(record, offset, size):
    return (
        field_bytes(1, record_id(record)[:16])
        + field_varint(2, len(record))
        + field_varint(3, offset)
        + field_bytes(4, record[offset : offset + size])
    )


def part_message(request=None, index=None, count=None, more=None, run=None, record=None):
    return (
        field_fixed64(1, request)
        + field_varint(2, index)
        + field_varint(3, count)
        + field_varint(4, more)
        + field_bytes(5, run)
        + field_bytes(6, record)
    )


def link_of(event):
    return u32(len(event.body)) + event.inner


def hashes_ask_message(author, seqs, branch=None):
    return (
        field_bytes(1, author)
        + field_bytes(2, b"".join(u64(seq) for seq in seqs))
        + field_varint(3, branch)
    )


def hashes_message(author, have, entries, boot=None):
    return (
        field_bytes(1, author)
        + field_varint(2, have)
        + field_bytes(3, b"".join(u64(seq) + value for seq, value in entries))
        + field_bytes(4, boot)
    )


def addresses_message(ask=None, entries=None):
    return field_bytes(1, ask) + field_bytes(2, entries)


# --- The files. ---


class File:
    def __init__(self, about):
        self.lines = ["# " + line for line in about.strip().splitlines()]
        self.fields = set()

    def note(self, text):
        self.lines += ["", "# " + text]

    def put(self, field, value):
        assert field not in self.fields, field
        self.fields.add(field)
        data = u64(value) if isinstance(value, int) else value
        self.lines.append(f"{field} = {data.hex()}".rstrip())

    def text(self):
        made_by = "# Made by encoder.py from docs/protocol.md; change that, not this."
        return "\n".join([made_by] + self.lines) + "\n"


def put_cluster(file):
    file.note("Inputs.")
    file.put("cluster.seed", CLUSTER_SEED)
    file.put("cluster.key", CLUSTER)


def put_node(file, name):
    file.put(f"{name}.seed", NODES[name].seed)
    file.put(f"{name}.key", NODES[name].key)
    file.put(f"{name}.id", NODES[name].id)


def put_author(file, name):
    author = AUTHORS[name]
    file.put(f"{name}.key", author.node.key)
    file.put(f"{name}.epoch", author.epoch)
    file.put(f"{name}.id", author.id)


def crypto_file():
    file = File("Cryptography by itself.")
    key, message = bytes(range(32)), b"gossip"
    file.put("message", message)
    file.put("key", key)
    file.put("hash", h256(message))
    file.put("keyed_hash", h128(key, message))
    file.put("keyed_hash.of_nothing", h128(key))
    file.note("Ed25519.")
    file.put("alice.seed", ALICE.seed)
    file.put("alice.key", ALICE.key)
    file.put("alice.signature", ed25519_sign(ALICE.seed, message))
    file.put("bob.seed", BOB.seed)
    file.put("bob.key", BOB.key)
    file.note("X25519 of the two, the same both ways.")
    shared = agree(ALICE.seed, BOB.key)
    assert shared == agree(BOB.seed, ALICE.key)
    file.put("shared", shared)
    file.note("XChaCha20-Poly1305 of the message under the key; the tag comes last.")
    file.put("box.nonce", bytes(range(0x40, 0x58)))
    file.put("box.header", b"header")
    file.put("box.cipher", box_seal(key, bytes(range(0x40, 0x58)), b"header", message))
    return file


def identity_file():
    file = File("The ids of nodes and authors.")
    put_cluster(file)
    for name in NODES:
        file.note(name)
        put_node(file, name)
    for name in AUTHORS:
        file.note(name)
        put_author(file, name)
    return file


def certificate_file():
    file = File(
        """
Certificates. alice and carol are admitted by the cluster, bob by alice. The id is that of the whole
record; on the wire stand its first 16 bytes.
"""
    )
    put_cluster(file)
    for name, node in NODES.items():
        file.note(name)
        put_node(file, name)
        file.put(f"{name}.name", node.certificate.name)
        file.put(f"{name}.rights", node.certificate.rights)
        if node.issuer is not None:
            file.put(f"{name}.issuer", node.certificate.issuer)
        file.put(f"{name}.body", node.certificate.body)
        file.put(f"{name}.record", node.certificate.record)
        file.put(f"{name}.record_id", node.certificate.id)
    return file


def put_events(file, name):
    author = AUTHORS[name]
    file.note(f"{name}, and its events from 1 on.")
    put_author(file, name)
    file.put(f"{name}.count", len(author.events))
    for event in author.events:
        prefix = f"{name}.{event.seq}"
        file.put(f"{prefix}.kind", event.kind)
        file.put(f"{prefix}.body", event.body)
        if event.payload is not None:
            file.put(f"{prefix}.payload", event.payload)
        file.put(f"{prefix}.context", event.context)
        file.put(f"{prefix}.mentions", event.mentions)
        file.put(f"{prefix}.inner", event.inner)
        file.put(f"{prefix}.hash", event.hash)
        file.put(f"{prefix}.seal", event.seal)


def event_file():
    file = File(
        """
Events. For each its kind, its body, its payload where that can be read, its whole context (id 16,
seq 8, ascending by id; its author left out), the running hash M of the mentions after it, the inner
hash, its hash and its seal. The body holds the inputs: stamp, context entries and fields.

alice1: 1 plain; 2 new context entries; 3 known ones; 4 kind context, both; 5 a long payload; 6 all
fields, the payload twice (the last counts), an unknown field, and context entries that raise
nothing; 7 a kind of a later version, stamped far ahead; 8 fields that are cut off, so no payload;
9 an empty payload.
alice2: 1 opens the epoch after alice1, whose last event known to it stands in its context.
"""
    )
    put_cluster(file)
    file.put("alice.seed", ALICE.seed)
    put_events(file, "alice1")
    put_events(file, "alice2")
    return file


def run_file():
    file = File(
        """
Runs: their streams, with the hash before them, the hash of their last event and its seal. bob1 has
a required seal at 64; what comes after is a run of its own.
"""
    )
    put_cluster(file)
    for name, author, first, last in (
        ("a", "alice1", 1, 9),
        ("b", "bob1", 1, 64),
        ("c", "bob1", 65, 65),
        ("d", "carol1", 1, 3),
    ):
        file.note(f"{author}, {first} to {last}")
        file.put(f"{name}.key", AUTHORS[author].node.key)
        file.put(f"{name}.epoch", AUTHORS[author].epoch)
        file.put(f"{name}.id", AUTHORS[author].id)
        file.put(f"{name}.first", first)
        file.put(f"{name}.last", last)
        file.put(f"{name}.previous", AUTHORS[author].event(first).previous)
        file.put(f"{name}.stream", AUTHORS[author].stream(first, last))
        file.put(f"{name}.hash", AUTHORS[author].event(last).hash)
        file.put(f"{name}.seal", AUTHORS[author].event(last).seal)
    return file


def refused_file():
    file = File(
        """
Bodies that every node refuses as event 3 of alice1, whose events 1 and 2 are those of event.txt (so
that mention numbers 1 and 2 are given out); and three at the edge, which are taken.
"""
    )
    low, high = bytes(16), b"\xff" * 16
    stamped = stamp(NOON + 1001, 1)
    tail = field_bytes(3, b"third")
    file.note("Inputs: the ids of alice1 and of its two mentions, in their order.")
    file.put("id", ALICE1.id)
    file.put("mention1", ALICE1.mentions[0])
    file.put("mention2", ALICE1.mentions[1])
    refused = {
        "kind_zero": frame(stamped, 0) + tail,
        "kind_past_32_bits": frame(stamped, 2**32) + tail,
        "kind_not_shortest": u64(stamped) + b"\x81\x00\x00\x00" + tail,
        "knowns_not_shortest": u64(stamped) + b"\x01\x80\x00\x00" + tail,
        "gap_not_shortest": u64(stamped) + b"\x01\x01\x81\x00\x05\x00" + tail,
        "seq_not_shortest": u64(stamped) + b"\x01\x01\x01\x85\x00\x00" + tail,
        "news_not_shortest": u64(stamped) + b"\x01\x00\x80\x00" + tail,
        "seq_past_64_bits": u64(stamped) + b"\x01\x01\x01" + b"\xff" * 9 + b"\x02\x00" + tail,
        "gap_zero_first": frame(stamped, 1, [(0, 5)]) + tail,
        "gap_zero_second": frame(stamped, 1, [(1, 5), (0, 5)]) + tail,
        "mention_not_given_out": frame(stamped, 1, [(3, 5)]) + tail,
        "mention_given_out_here": frame(stamped, 1, [(3, 5)], [(high, 1)]) + tail,
        "mention_wraps": frame(stamped, 1, [(2, 5), (2**64 - 1, 5)]) + tail,
        "known_seq_zero": frame(stamped, 1, [(1, 0)]) + tail,
        "known_seq_past_max": frame(stamped, 1, [(1, COUNTER_MAX + 1)]) + tail,
        "news_out_of_order": frame(stamped, 1, [], [(high, 1), (low, 1)]) + tail,
        "news_twice": frame(stamped, 1, [], [(high, 1), (high, 2)]) + tail,
        "news_mentioned_before": frame(stamped, 1, [], [(ALICE1.mentions[0], 9)]) + tail,
        "news_own_id": frame(stamped, 1, [], [(ALICE1.id, 1)]) + tail,
        "news_seq_zero": frame(stamped, 1, [], [(high, 0)]) + tail,
        "news_seq_past_max": frame(stamped, 1, [], [(high, COUNTER_MAX + 1)]) + tail,
        "knowns_past_max": u64(stamped) + b"\x01" + varint(16385) + tail,
        "news_past_max": u64(stamped) + b"\x01\x00" + varint(16385) + tail,
        "cut_off_stamp": u64(stamped)[:7],
        "cut_off_kind": u64(stamped),
        "cut_off_knowns": u64(stamped) + b"\x01",
        "cut_off_known": frame(stamped, 1, [(1, 300)])[:-2],
        "cut_off_news": u64(stamped) + b"\x01\x00",
        "cut_off_id": frame(stamped, 1, [], [(high, 1)])[:-2],
        "cut_off_seq": frame(stamped, 1, [], [(high, 1)])[:-1],
        "empty": b"",
    }
    file.note("Refused.")
    for name, body in refused.items():
        file.put(f"refused.{name}", body)
    file.note("Taken.")
    file.put("taken.no_fields", frame(stamped, 1))
    file.put("taken.greatest", frame(stamped, 2**32 - 1, [(2, COUNTER_MAX)], [(high, COUNTER_MAX)]))
    file.put("taken.raises_nothing", frame(stamped, 1, [(1, 1), (1, 1)]) + tail)
    return file


# What one node asks another, used again in boxes.
REQUEST = 0x1122334455667788
CUTS = (700, 900)  # Where the run of nine events of alice1 is cut into parts.


def parts():
    stream_size = len(ALICE1.stream(1, 9))
    bob, carol = BOB.certificate.record, CAROL.certificate.record
    return {
        "run_first": part_message(
            REQUEST, 0, 4, None, run_part_message(ALICE1, 1, 9, 0, CUTS[0], True)
        ),
        "run_middle": part_message(
            REQUEST, 1, 4, None, run_part_message(ALICE1, 1, 9, CUTS[0], CUTS[1], False)
        ),
        "run_last": part_message(
            REQUEST,
            2,
            4,
            None,
            run_part_message(ALICE1, 1, 9, sum(CUTS), stream_size - sum(CUTS), False),
        ),
        "run_whole": part_message(
            REQUEST, 3, 4, 1, run_part_message(BOB1, 65, 65, 0, len(BOB1.stream(65, 65)), True)
        ),
        "pushed": part_message(
            run=run_part_message(CAROL1, 1, 3, 0, len(CAROL1.stream(1, 3)), True)
        ),
        "cut": part_message(
            REQUEST, 0, 1, None,
            run_part_message(CAROL1, 1, 1, 0, len(CAROL1.stream(1, 1)), True, seal=False),
        ),
        "link": part_message(
            REQUEST, 0, 1, None,
            run_part_message(
                CAROL1, 1, 1, 0, len(CAROL1.stream(1, 1)), False, seal=False,
                link=link_of(CAROL1.event(2)),
            ),
        ),
        "introduced": part_message(REQUEST, 0, 1)
        + field_bytes(7, introduction_message(CAROL1)),
        "record": part_message(REQUEST, 0, 1, None, None, record_part_message(bob, 0, len(bob))),
        "record_first": part_message(
            REQUEST, 0, 2, None, None, record_part_message(carol, 0, 100)
        ),
        "record_last": part_message(
            REQUEST, 1, 2, None, None, record_part_message(carol, 100, len(carol) - 100)
        ),
        "empty": part_message(REQUEST, 0, 0),
    }


def part_file():
    file = File(
        """
Messages of kind Part: a run of alice1 in three parts, the first with an introduction, the last with
the seal; a whole run of bob1, whose certificate alice has signed, with the flag more; a pushed run;
a run that ends where its author is cut at 2, with nothing that vouches for it, and with the link of
event 2; an author of whom nothing counts; a record whole and in two parts; an empty answer.
"""
    )
    file.note("Inputs.")
    file.put("request", REQUEST)
    file.put("stream", ALICE1.stream(1, 9))
    file.put("cut1", CUTS[0])
    file.put("cut2", sum(CUTS))
    file.note("Messages.")
    for name, message in parts().items():
        file.put(name, message)
    return file


BOOT_ALICE, BOOT_BOB = 0x0102030405060708, 0xF1F2F3F4F5F6F7F8
TOKEN = bytes(range(0x70, 0x80))
ADDRESS = bytes(10) + b"\xff\xff" + bytes([127, 0, 0, 1]) + u16(7946)


def hello_file():
    file = File(
        """
A hello of alice, and bob's welcome, as messages and as whole datagrams. The token is a secret of
whoever wrote it; here it is any 16 bytes.
"""
    )
    put_cluster(file)
    file.put("cluster.secret", CLUSTER_SECRET)
    put_node(file, "alice")
    put_node(file, "bob")
    hello_nonce, welcome_nonce = bytes(range(16)), bytes(range(16, 32))
    file.put("hello.boot_count", 1)
    file.put("hello.boot_id", BOOT_ALICE)
    file.put("hello.nonce", hello_nonce)
    file.put("welcome.boot_count", 300)
    file.put("welcome.boot_id", BOOT_BOB)
    file.put("welcome.nonce", welcome_nonce)
    file.put("welcome.token", TOKEN)
    file.put("welcome.counter", 70000)
    file.note("Made of them.")
    message = hello_message(ALICE, 1, BOOT_ALICE, hello_nonce)
    signed = domain("gossip/hello/1") + CLUSTER + message
    file.put("hello.message", message)
    file.put("hello.signature", ed25519_sign(ALICE.seed, signed))
    file.put("hello.datagram", greeting(HELLO, ALICE, signed, message, 512))
    message = hello_message(BOB, 300, BOOT_BOB, welcome_nonce, hello_nonce, TOKEN, 70000)
    signed = domain("gossip/welcome/1") + CLUSTER + ALICE.id + message
    file.put("welcome.message", message)
    file.put("welcome.signature", ed25519_sign(BOB.seed, signed))
    file.put("welcome.datagram", greeting(WELCOME, BOB, signed, message))
    assert len(greeting(WELCOME, BOB, signed, message)) <= 512
    return file


class Heads:
    """What a node has: {id: (have, hash of event have, cut)}, and its records."""

    def __init__(self, heads, records):
        self.heads, self.records = heads, sorted(records)
        self.leaves = {author: leaf(author, *head) for author, head in heads.items()}
        self.set = h256(domain("gossip/records/1"), *self.records)

    def root(self, exchange):
        return h128(exchange, domain("gossip/root/1"), trie(self.leaves), self.set)

    def records_root(self, exchange):
        return h128(exchange, domain("gossip/records/1"), self.set)[:8]

    def entries(self, exchange, authors=None):
        return b"".join(
            author
            + varint(2 * have + (1 if cut > 0 else 0))
            + (varint(cut) if cut > 0 else b"")
            + head_hash(exchange, author, have, head)
            for author, (have, head, cut) in sorted(self.heads.items())
            if authors is None or author in authors
        )


def synthetic(prefix):
    """An id that begins with prefix, for a trie with long common paths."""
    return bytes.fromhex(prefix.ljust(32, "5"))


SYNTHETIC = [synthetic(prefix) for prefix in ("0", "3a1", "3a1f0", "3a1f1", "3b", "f")]
RECORDS = [node.certificate.id for node in NODES.values()]
ONE = Heads({ALICE1.id: (9, ALICE1.event(9).hash, 0)}, RECORDS[:1])
NONE = Heads({}, [])
ALL = Heads(
    {
        ALICE1.id: (9, ALICE1.event(9).hash, 0),
        ALICE2.id: (2, ALICE2.event(2).hash, 0),
        BOB1.id: (65, BOB1.event(65).hash, 0),
        CAROL1.id: (1, CAROL1.event(1).hash, 2),  # Cut at 2: have reads at most 1.
        SYNTHETIC[0]: (0, bytes(32), 1),  # Cut at its first event.
        SYNTHETIC[1]: (1, bytes([1]) * 32, 0),
        SYNTHETIC[2]: (COUNTER_MAX, bytes([2]) * 32, 0),
        SYNTHETIC[3]: (COUNTER_MAX - 1, bytes([3]) * 32, COUNTER_MAX),
        SYNTHETIC[4]: (300, bytes([4]) * 32, 0),
        SYNTHETIC[5]: (7, bytes([5]) * 32, 0),
    },
    RECORDS,
)
EXCHANGE = bytes(range(0xE0, 0xF0))


def digests():
    roots = (ALL.root(EXCHANGE), ALL.records_root(EXCHANGE))
    entries = ALL.entries(EXCHANGE)
    records = b"".join(value[:16] for value in ALL.records)
    slice_ids = SYNTHETIC[1:4]
    return {
        "open": digest_message(EXCHANGE, 1, *roots, TOKEN),
        "answer": digest_message(
            EXCHANGE, 2, *roots, None, list_message(None, None, entries),
            list_message(None, None, records),
        ),
        "close": digest_message(
            EXCHANGE,
            3,
            *roots,
            TOKEN,
            list_message(slice_ids[0], slice_ids[-1], ALL.entries(EXCHANGE, slice_ids)),
        ),
        "nothing": digest_message(
            EXCHANGE, 2, NONE.root(EXCHANGE), NONE.records_root(EXCHANGE), None,
            list_message(None, None, b""), list_message(None, None, b""),
        ),
    }


def digest_file():
    file = File(
        """
Digests. Three states: none, which has nothing; one, with one author and one record; all, with ten
authors (0 to 9, ascending by id; some made up so that they share half-bytes) and three records.
Branches of the trie of all are named by their path in half-bytes.
"""
    )
    file.note("Inputs.")
    file.put("exchange", EXCHANGE)
    file.put("token", TOKEN)
    authors = sorted(ALL.heads)
    for i, author in enumerate(authors):
        have, head, cut = ALL.heads[author]
        file.put(f"author{i}.id", author)
        file.put(f"author{i}.have", have)
        file.put(f"author{i}.hash", head)
        file.put(f"author{i}.cut", cut)
    file.put("one.author", ALICE1.id)
    file.put("one.record", ONE.records[0])
    for i, value in enumerate(ALL.records):
        file.put(f"record{i}", value)
    file.note("Made of them.")
    for i, author in enumerate(authors):
        have, head, cut = ALL.heads[author]
        file.put(f"author{i}.leaf", leaf(author, have, head, cut))
        file.put(f"author{i}.head", head_hash(EXCHANGE, author, have, head))
    trie(ALL.leaves, note=lambda path, value: path and file.put(f"all.branch.{path}", value))
    for name, state in (("none", NONE), ("one", ONE), ("all", ALL)):
        file.put(f"{name}.trie", trie(state.leaves))
        file.put(f"{name}.set", state.set)
        file.put(f"{name}.root", state.root(EXCHANGE))
        file.put(f"{name}.records_root", state.records_root(EXCHANGE))
    file.note("Messages: an opening, an answer with lists, a closing with a slice; all, then none.")
    for name, message in digests().items():
        file.put(name, message)
    return file


def pulls():
    records = b"".join(sorted((BOB.certificate.id[:16], CAROL.certificate.id[:16])))
    return {
        "pull": pull_message(
            REQUEST,
            2048,
            1048576,
            [
                want_message(BOB1.id, 6, 65),
                want_message(ALICE1.id, 1, 9, [(0, 700), (1600, 16)]),
                want_message(CAROL1.id, 1, COUNTER_MAX),
            ],
            records,
        ),
        "pull_records": pull_message(1, 0, 16384, (), records),
    }


def addresses():
    ask = b"".join(sorted((BOB.id, CAROL.id)))
    return {
        "addresses": addresses_message(ask, ALICE.id + ADDRESS),
        "addresses_asked": addresses_message(ask),
        "addresses_told": addresses_message(None, ALICE.id + ADDRESS + BOB.id + ADDRESS),
    }


def box_file():
    file = File(
        """
Boxes from alice to bob, whole datagrams. plain is what is encrypted: the kind, the message and, for
a digest, its signature.
"""
    )
    put_cluster(file)
    put_node(file, "alice")
    put_node(file, "bob")
    file.put("boot_id", BOOT_ALICE)
    file.note("The pair's key, the same both ways.")
    assert pair_key(ALICE, BOB) == pair_key(BOB, ALICE)
    file.put("pair_key", pair_key(ALICE, BOB))
    messages = {
        "digest": (DIGEST, digests()["open"]),
        "pull": (PULL, pulls()["pull"]),
        "part": (PART, parts()["run_first"]),
        "addresses": (ADDRESSES, addresses()["addresses"]),
    }
    for counter, (name, (kind, message)) in enumerate(messages.items(), start=1):
        nonce = bytes([0x20 + counter]) * 24
        plain = bytes([kind]) + message
        file.note(name)
        file.put(f"{name}.counter", counter)
        file.put(f"{name}.nonce", nonce)
        file.put(f"{name}.message", message)
        if kind == DIGEST:
            signature = ed25519_sign(
                ALICE.seed,
                domain("gossip/digest/1")
                + CLUSTER
                + ALICE.id
                + BOB.id
                + u64(BOOT_ALICE)
                + u64(counter)
                + message,
            )
            file.put(f"{name}.signature", signature)
            plain += signature
        datagram = boxed(ALICE, BOB, BOOT_ALICE, counter, nonce, plain)
        assert len(datagram) <= 1200
        file.put(f"{name}.plain", plain)
        file.put(f"{name}.datagram", datagram)
    return file


def greeted():
    """What alice signed when she said hello, as a peer shows it to her later: kind, signature, Hello."""
    message = hello_message(ALICE, 9, BOOT_ALICE, bytes(range(0x50, 0x60)))
    signature = ed25519_sign(ALICE.seed, domain("gossip/hello/1") + CLUSTER + message)
    return bytes([HELLO]) + signature + message


def hashes():
    return {
        "hashes_ask": hashes_ask_message(ALICE1.id, [1, 4, 9]),
        "hashes_ask_branch": hashes_ask_message(CAROL1.id, [2], 1),
        "hashes": hashes_message(
            ALICE1.id, 9, [(seq, ALICE1.event(seq).hash) for seq in (1, 4, 9)]
        ),
        "hashes_none": hashes_message(STRANGER, 0, []),
        "hashes_boot": hashes_message(ALICE1.id, 9, [(9, ALICE1.event(9).hash)], greeted()),
    }


def message_file():
    file = File(
        """
Messages of kinds Pull, Addresses, HashesAsk and Hashes. boot is what alice signed under boot 9, which is
shown to her in hashes_boot.
"""
    )
    file.put("boot", greeted())
    for name, message in (*pulls().items(), *addresses().items(), *hashes().items()):
        file.put(name, message)
    return file


def branch_message(author, seq, last):
    links = b"".join(link_of(event) for event in author.events[seq - 1 : last])
    return (
        field_bytes(1, author.event(seq).previous)
        + field_bytes(2, links)
        + field_bytes(3, author.event(last).seal)
    )


def proof_body(author, seq, branches):
    """branches: (author as this branch shows it, its sealed seq)."""
    a, b = sorted(branches, key=lambda branch: branch[0].event(seq).hash)
    assert a[0].event(seq).hash != b[0].event(seq).hash
    return (
        field_bytes(1, author.node.key)
        + field_bytes(2, author.epoch)
        + field_varint(3, seq)
        + field_bytes(4, branch_message(a[0], seq, a[1]))
        + field_bytes(5, branch_message(b[0], seq, b[1]))
    )


def half_body(author, seq, last):
    return (
        field_bytes(1, author.node.key)
        + field_bytes(2, author.epoch)
        + field_varint(3, seq)
        + field_bytes(4, branch_message(author, seq, last))
    )


def proof_file():
    file = File(
        """
Proofs that carol gave one dot two contents. fork: two events 2 after the same event 1, one branch
sealed there and one at 3; the cut is at 2. early: events 2 of which not even the previous hashes
agree; the cut is at 1. Halves of both, as they are sent to whoever holds the other.
"""
    )
    trunk = Author(CAROL, bytes([0xC1]) * 8)
    early = trunk.branch()
    trunk.say(stamp(NOON, 1), b"c1")
    other = trunk.branch()
    trunk.say(stamp(NOON, 2), b"c2")
    trunk.say(stamp(NOON, 3), b"c3")
    other.say(stamp(NOON, 2), b"another c2")
    early.say(stamp(NOON, 1), b"another c1")
    early.say(stamp(NOON, 2), b"c2", [(BOB1.id, 1)])
    assert [e.hash for e in trunk.events] == [e.hash for e in CAROL1.events]
    put_cluster(file)
    put_node(file, "carol")
    file.put("epoch", trunk.epoch)
    file.put("seq", 2)
    for name, author in (("trunk", trunk), ("other", other), ("early", early)):
        for event in author.events:
            file.put(f"{name}.{event.seq}.body", event.body)
            file.put(f"{name}.{event.seq}.hash", event.hash)
    for name, cut, branches in (
        ("fork", 2, ((trunk, 3), (other, 2))),
        ("early_fork", 1, ((trunk, 2), (early, 2))),
    ):
        file.note(f"Proof: {name}")
        body = proof_body(trunk, 2, branches)
        file.put(f"{name}.body", body)
        file.put(f"{name}.record", b"\4" + body)
        file.put(f"{name}.record_id", record_id(b"\4" + body))
        file.put(f"{name}.cut", cut)
    for name, author, last in (("trunk_half", trunk, 3), ("early_half", early, 2)):
        file.note(f"Half: {name}")
        body = half_body(author, 2, last)
        file.put(f"{name}.body", body)
        file.put(f"{name}.record", b"\5" + body)
        file.put(f"{name}.record_id", record_id(b"\5" + body))
    return file


def eviction_file():
    file = File(
        """
Evictions of carol: by alice, with the last events of two epochs that count; by the cluster, with
none.
"""
    )
    put_cluster(file)
    put_node(file, "alice")
    put_node(file, "carol")
    last = [(CAROL1.epoch, 3, CAROL1.event(3).hash), (bytes([0xC2]) * 8, 300, bytes([9]) * 32)]
    for i, (epoch, seq, value) in enumerate(last):
        file.put(f"last{i}.epoch", epoch)
        file.put(f"last{i}.seq", seq)
        file.put(f"last{i}.hash", value)
    for name, events, seed, issuer in (
        ("by_alice", last, ALICE.seed, ALICE.key),
        ("by_cluster", [], CLUSTER_SEED, None),
    ):
        body = (
            field_bytes(1, CAROL.key)
            + b"".join(
                field_bytes(2, field_bytes(1, e) + field_varint(2, s) + field_bytes(3, h))
                for e, s, h in events
            )
            + field_bytes(3, issuer)
        )
        signature = ed25519_sign(seed, domain("gossip/eviction/1") + CLUSTER + body)
        record = b"\3" + body + signature
        file.note(name)
        file.put(f"{name}.body", body)
        file.put(f"{name}.record", record)
        file.put(f"{name}.record_id", record_id(record))
    return file


RECORD_BLOCK, RUN_BLOCK, AUTHOR_BLOCK, END_BLOCK = 1, 2, 3, 4


def archive(blocks):
    """blocks: (kind, payload)."""
    data = b"gsparch1" + CLUSTER
    check = h256(domain("gossip/archive/1"), bytes(32), data)
    for kind, payload in blocks:
        head = bytes([kind]) + u32(len(payload))
        check = h256(domain("gossip/archive/1"), check, head, payload)
        data += head + payload + check
    return data


def run_block(author, first, last, voucher):
    return RUN_BLOCK, (
        author.node.key
        + author.epoch
        + u64(first)
        + u64(last)
        + author.event(first).previous
        + voucher
        + author.stream(first, last)
    )


def archive_file():
    file = File(
        """
Archives. whole: carol's certificate and her three events. blocks: all kinds of blocks, as such: a run
with a seal, one up to a cut with nothing, one with the link of event 2, and an author without events.
"""
    )
    put_cluster(file)
    put_author(file, "carol1")
    file.put("record", CAROL.certificate.record)
    file.put("stream", CAROL1.stream(1, 3))
    file.put("seal", CAROL1.event(3).seal)
    file.put("link", link_of(CAROL1.event(2)))
    record = (RECORD_BLOCK, CAROL.certificate.record)
    sealed = run_block(CAROL1, 1, 3, b"\1" + CAROL1.event(3).seal)
    file.note("Archives.")
    file.put("whole", archive([record, sealed, (END_BLOCK, u64(3))]))
    file.put(
        "blocks",
        archive(
            [
                record,
                sealed,
                run_block(CAROL1, 1, 1, b"\2"),
                run_block(CAROL1, 1, 1, b"\3" + link_of(CAROL1.event(2))),
                (AUTHOR_BLOCK, CAROL.key + bytes([0xC2]) * 8),
                (END_BLOCK, u64(5)),
            ]
        ),
    )
    return file


FILES = {
    "archive": archive_file,
    "box": box_file,
    "certificate": certificate_file,
    "crypto": crypto_file,
    "digest": digest_file,
    "event": event_file,
    "eviction": eviction_file,
    "hello": hello_file,
    "identity": identity_file,
    "message": message_file,
    "part": part_file,
    "proof": proof_file,
    "refused": refused_file,
    "run": run_file,
}


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("usage: encoder.py [--check]", file=sys.stderr)
        return 2
    check_cryptography()
    folder = pathlib.Path(__file__).parent
    made = {f"{name}.txt": make().text() for name, make in FILES.items()}
    if not arguments:
        for name, text in made.items():
            (folder / name).write_text(text, encoding="ascii")
        return 0
    differing = []
    for name, text in made.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="ascii") != text:
            differing.append(name)
    for name in sorted(differing):
        print(f"{name} is not what encoder.py makes", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
