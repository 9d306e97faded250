/*
 * The journal of a run: what was done, and what was seen, in order. Every place where a script is
 * played keeps it in the same way, and everything is judged from it alone.
 *
 * What an event's author had shown before it is the event's true past: no clock is asked for it.
 * Nodes are numbers from 0; authors and events have numbers in the order in which they came up.
 * Running out of memory ends the process: this is a tool, not a service.
 */
#ifndef GOSSIP_LAB_JOURNAL_H
#define GOSSIP_LAB_JOURNAL_H

#include "cmd/lab/history.h"
#include "cmd/lab/script.h"
#include "gossip/limits.h"

enum journal_kind {
    JOURNAL_DONE,      /* A statement was carried out: line, text. */
    JOURNAL_ASKED,     /* node was asked to publish. */
    JOURNAL_PUBLISHED, /* node has shown an event that it has written. */
    JOURNAL_DELIVERED, /* node has shown an event of another. */
    JOURNAL_STARTED,   /* A process of node has started. */
    JOURNAL_ENDED,     /* It has ended, with code; by itself unless line tells who ended it. */
    JOURNAL_RESTORED,  /* The files of node are those of its backup again. */
    JOURNAL_CLOCK,     /* The clock of node was read: clock. */
    JOURNAL_TRAFFIC,   /* Since the start so many datagrams, with so many bytes, were sent. */
    JOURNAL_NOTICE,    /* Something that a person wants to know: text. */
    JOURNAL_CHECKED,   /* An expectation was judged: line, text. */
    JOURNAL_KINDS,
};

#define JOURNAL_NONE UINT32_MAX

struct journal_entry {
    enum journal_kind kind;
    uint64_t time_ms;
    unsigned line; /* 0: none. */
    unsigned node;
    uint32_t event;  /* JOURNAL_NONE: none. */
    bool is_again;   /* DELIVERED: the node had shown it before; */
    bool is_early;   /* before one of its causes. CLOCK: it is not past the one before. */
    bool is_telling; /* CHECKED: it failed, or took its time. */
    int code;
    uint64_t datagrams;
    uint64_t bytes;
    struct counts clock; /* By author. Where an event is_early, what the node had shown. */
    char *text;          /* NULL: none. */
};

struct journal_author {
    uint8_t id[GOSSIP_ID_SIZE];
    unsigned node;
    unsigned epoch; /* Of its node: 1 is the first. */
    uint64_t last;  /* The greatest seq of an event that was seen. */
    bool is_forked; /* A dot of it has two contents. */
};

struct journal_event {
    uint32_t author;
    uint64_t seq;
    unsigned node; /* Where it was written, or, until that is known, whose it is. */
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint8_t supersedes[GOSSIP_HASH_SIZE];
    bool is_reissue;     /* Of the event with that hash. */
    bool is_payload;     /* It is for the application. */
    bool is_published;   /* Its writer has shown it. */
    uint64_t time_ms;    /* When; or, until then, when it was first seen. */
    struct counts clock; /* As it says itself; it is in it. */
    struct counts past;  /* What its writer had shown before. */
    char *text;
    size_t size;
};

/* What a node is to one who looks at the journal. */
struct journal_node {
    bool is_up;
    bool is_paused; /* It answers nobody. */
    bool has_run;
    unsigned starts;
    int code;                /* That the last process has ended with, */
    bool ended_by_itself;    /* by itself. */
    struct event_set shown;  /* What is there to be asked for. */
    struct event_set ever;   /* What was shown since its files were last others. */
    struct counts seen;      /* The last of each author. */
    struct event_set kept;   /* Of its backup. */
    struct counts kept_seen; /* The same. */
    bool has_backup;
    struct counts clock; /* As it was read last, */
    bool has_clock;      /* since its last start. */
};

/* What is told of an event that a node shows. */
struct journal_shown {
    const uint8_t *id; /* Of its author: GOSSIP_ID_SIZE bytes. */
    unsigned author_node;
    bool is_own; /* Of a key of the node that shows it. */
    uint64_t seq;
    const uint8_t *hash;
    const uint8_t *supersedes; /* NULL: nothing. */
    bool is_payload;
    const void *data;
    size_t size;
    const struct counts *clock; /* By numbers of the journal. */
};

struct journal {
    unsigned node_count;
    struct journal_node *nodes;
    struct journal_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    struct journal_author *authors;
    size_t author_count;
    size_t author_capacity;
    struct journal_event *events;
    size_t event_count;
    size_t event_capacity;
    uint32_t
        *places; /* Events by hash: a table, open, of a power of two; 0 is none, else one more. */
    size_t place_count;
    uint64_t version; /* Grows with what a judge could want to look at again. */
};

void journal_start(struct journal *journal, unsigned node_count);
void journal_clear(struct journal *journal);

/* One node more. */
void journal_add_node(struct journal *journal);

/* The number of an author, which is node's. */
uint32_t journal_author(struct journal *journal, const uint8_t id[GOSSIP_ID_SIZE], unsigned node);

/* The event with these bytes; the event of this dot; JOURNAL_NONE where there is none. */
uint32_t journal_find_hash(const struct journal *journal, const uint8_t hash[GOSSIP_HASH_SIZE]);
uint32_t journal_find(const struct journal *journal, struct script_dot dot);

/* The first event that came up with the dot of event: itself, unless the dot was used twice. */
uint32_t journal_first_of(const struct journal *journal, uint32_t event);

/* Each is told as it happens; time_ms does not go back. */
void journal_done(struct journal *journal, uint64_t time_ms, unsigned line, const char *text);
void journal_asked(struct journal *journal, uint64_t time_ms, unsigned line, unsigned node);
void journal_shown(struct journal *journal, uint64_t time_ms, unsigned node,
                   const struct journal_shown *shown);
void journal_started(struct journal *journal, uint64_t time_ms, unsigned node);
/* line: of the statement that has ended it; 0: it has ended by itself. */
void journal_ended(struct journal *journal, uint64_t time_ms, unsigned line, unsigned node,
                   int code, const char *text);
void journal_paused(struct journal *journal, unsigned node, bool is_paused);
void journal_backed_up(struct journal *journal, unsigned node);
/* copy is a machine with the files of node, and what shows its events goes on where that of node
 * was. */
void journal_cloned(struct journal *journal, unsigned node, unsigned copy);
void journal_restored(struct journal *journal, uint64_t time_ms, unsigned line, unsigned node);
void journal_clock(struct journal *journal, uint64_t time_ms, unsigned node,
                   const struct counts *clock);
void journal_traffic(struct journal *journal, uint64_t time_ms, uint64_t datagrams, uint64_t bytes);
void journal_notice(struct journal *journal, uint64_t time_ms, unsigned node, const char *text);
/* is_telling: when it was so tells something. */
void journal_checked(struct journal *journal, uint64_t time_ms, unsigned line, const char *text,
                     bool is_telling);

/* How many events of the application node has shown. */
uint64_t journal_count_shown(const struct journal *journal, unsigned node);

/* Whether node has event; also where it has another that issues it again, or that it issues again.
 */
bool journal_has(const struct journal *journal, unsigned node, uint32_t event);

/* "n3:17", "n3'2:17"; "{n1:2 n3'2:17}", sorted by node. */
void journal_dot_text(const struct journal *journal, const struct script *script, uint32_t event,
                      char *ret_text, size_t size);
void journal_clock_text(const struct journal *journal, const struct script *script,
                        const struct counts *clock, char *ret_text, size_t size);

#endif
