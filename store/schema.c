#include "store/schema.h"

/* SQLite keeps comments only between the parentheses of a table and before the end of a view. */
const struct schema_object schema_objects[] = {
    {"table", "meta",
     "CREATE TABLE meta (\n"
     "    -- Named values of this node: numbers or bytes.\n"
     "    name TEXT PRIMARY KEY,\n"
     "    value ANY NOT NULL\n"
     ") STRICT, WITHOUT ROWID"},

    {"table", "authors",
     "CREATE TABLE authors (\n"
     "    -- Who writes events, and how many of them are here: the vector clock.\n"
     "    number INTEGER PRIMARY KEY,    -- Local: 0, 1, 2 ... as they became known here.\n"
     "    id BLOB NOT NULL,              -- 16 bytes: names key and epoch.\n"
     "    key BLOB NOT NULL,             -- 32 bytes: Ed25519.\n"
     "    epoch BLOB NOT NULL,           -- 8 random bytes.\n"
     "    have INTEGER NOT NULL,         -- Clock entry: the last seq stored and delivered.\n"
     "    floor INTEGER NOT NULL,        -- Events up to this seq are no longer here; 0: all are.\n"
     "    cut INTEGER NOT NULL,          -- From this seq on nothing counts; 0: no cut.\n"
     "    head_hash BLOB NOT NULL,       -- Hash of event have.\n"
     "    mentions INTEGER NOT NULL,     -- How many authors it has named ...\n"
     "    mentions_hash BLOB NOT NULL,   -- ... and their running hash.\n"
     "    unsealed_size INTEGER NOT NULL -- Bytes of bodies since its last required seal.\n"
     ") STRICT"},

    {"table", "mentions",
     "CREATE TABLE mentions (\n"
     "    -- Which author (number) each author named as its 1st, 2nd, 3rd ...\n"
     "    author INTEGER NOT NULL,\n"
     "    position INTEGER NOT NULL,\n"
     "    mentioned INTEGER NOT NULL,\n"
     "    PRIMARY KEY (author, position)\n"
     ") STRICT, WITHOUT ROWID"},

    {"table", "events",
     "CREATE TABLE events (\n"
     "    -- All events held, in the order in which they were delivered here.\n"
     "    delivery INTEGER PRIMARY KEY,\n"
     "    author INTEGER NOT NULL,       -- Its number.\n"
     "    seq INTEGER NOT NULL,          -- 1, 2, 3 ... of this author.\n"
     "    hash_seal BLOB NOT NULL,       -- Hash, 32 bytes; and seal, 64 more, if it is known.\n"
     "    body BLOB NOT NULL,            -- What was signed, byte for byte.\n"
     "    checksum INTEGER NOT NULL      -- Of this row: tells when a bit of it has flipped.\n"
     ") STRICT"},

    {"index", "events_by_author", "CREATE UNIQUE INDEX events_by_author ON events (author, seq)"},

    {"table", "contexts",
     "CREATE TABLE contexts (\n"
     "    -- Of some events the full context, so that it need not be gathered. Local, unsigned.\n"
     "    delivery INTEGER PRIMARY KEY,\n"
     "    context BLOB NOT NULL,\n"
     "    checksum INTEGER NOT NULL\n"
     ") STRICT"},

    {"table", "onces",
     "CREATE TABLE onces (\n"
     "    -- Our own events that are written once, by a hash of the key they were asked for with.\n"
     "    hash BLOB NOT NULL,            -- 16 bytes.\n"
     "    delivery INTEGER NOT NULL,\n"
     "    PRIMARY KEY (hash, delivery)\n"
     ") STRICT, WITHOUT ROWID"},

    {"table", "records",
     "CREATE TABLE records (\n"
     "    -- Certificates (type 1), evictions (3) and proofs of forks (4), as they were signed.\n"
     "    id BLOB PRIMARY KEY NOT NULL,  -- Hash of bytes.\n"
     "    type INTEGER NOT NULL,\n"
     "    bytes BLOB NOT NULL\n"
     ") STRICT"},

    {"table", "peers",
     "CREATE TABLE peers (\n"
     "    -- Where a node was last reached.\n"
     "    key BLOB PRIMARY KEY,          -- Its Ed25519 key.\n"
     "    address TEXT NOT NULL          -- 192.0.2.1:7000 or [2001:db8::1]:7000\n"
     ") STRICT, WITHOUT ROWID"},

    {"view", "clock",
     "CREATE VIEW clock AS\n"
     "    -- For people: the vector clock.\n"
     "    SELECT number, lower(hex(id)) AS author, lower(hex(epoch)) AS epoch, have, floor, cut\n"
     "    FROM authors"},

    {"view", "log",
     "CREATE VIEW log AS\n"
     "    -- For people: the events, in order of delivery.\n"
     "    SELECT delivery, lower(hex(id)) AS author, seq, length(body) AS size,\n"
     "        lower(hex(substr(hash_seal, 1, 32))) AS hash, length(hash_seal) > 32 AS sealed\n"
     "    FROM events LEFT JOIN authors ON authors.number = events.author"},
};

const size_t schema_object_count = sizeof(schema_objects) / sizeof(schema_objects[0]);
