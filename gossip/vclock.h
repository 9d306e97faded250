/*
 * Vector clocks: how many events of each author have been seen.
 * Fidge 1988 and Mattern 1989, over interned authors.
 *
 * An author that is not in a clock counts as 0, so {a:1} equals {a:1 b:0}; a counter of 0 is never
 * kept. Authors are local numbers, ascending, beside their counters in a second array, so that two
 * clocks of the same authors are compared by a memcmp and a plain loop. A clock owns its memory.
 * A clock of all zero bytes is valid and empty; there is no function to make one.
 *
 * A call that fails has changed nothing. No function here keeps a pointer it was lent. Any thread
 * may call them, on clocks that no other thread changes meanwhile.
 */
#ifndef GOSSIP_VCLOCK_H
#define GOSSIP_VCLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A clock. To be read as it is, and changed by the functions below alone. */
struct gossip_vclock {
    uint32_t *authors;  /* Ascending, no two equal. */
    uint64_t *counters; /* Beside each author: 1 to GOSSIP_COUNTER_MAX. */
    size_t count;
    size_t capacity;
};

/* How two events, or two clocks, stand to each other. The last two are answers about events only.
 */
enum gossip_relation {
    GOSSIP_EQUAL,
    GOSSIP_BEFORE,
    GOSSIP_AFTER,
    GOSSIP_CONCURRENT,
    GOSSIP_PRUNED,    /* One of the two is no longer held here: there is no exact answer. */
    GOSSIP_CONTESTED, /* One of the two lies behind a cut: there is no exact answer. */
};

/* "equal", "before", "after", "concurrent", "pruned" or "contested"; never NULL. */
const char *gossip_relation_name(enum gossip_relation relation);

/* Frees what clock owns and leaves it empty and usable. NULL is allowed. */
void gossip_vclock_clear(struct gossip_vclock *clock);

/* Makes room for count authors, so that as many can be set without failing. NOMEM. */
int gossip_vclock_reserve(struct gossip_vclock *clock, size_t count);

/* Makes clock equal to other, keeping the memory it has. NOMEM. */
int gossip_vclock_copy(struct gossip_vclock *clock, const struct gossip_vclock *other);

/* Tells the counter of author; 0 if it is not in the clock. */
uint64_t gossip_vclock_get(const struct gossip_vclock *clock, uint32_t author);

/* Sets the counter of author, down as well as up; 0 removes it.
 * LIMIT past GOSSIP_COUNTER_MAX, NOMEM. */
int gossip_vclock_set(struct gossip_vclock *clock, uint32_t author, uint64_t counter);

/* Sets the counter of author if it is greater than what is there. LIMIT, NOMEM. */
int gossip_vclock_raise(struct gossip_vclock *clock, uint32_t author, uint64_t counter);

/* Adds one to the counter of author and, unless NULL, tells the new value.
 * LIMIT at GOSSIP_COUNTER_MAX, NOMEM. */
int gossip_vclock_increment(struct gossip_vclock *clock, uint32_t author, uint64_t *ret_counter);

/* Join: the element-wise maximum, the least clock that covers both. NOMEM. */
int gossip_vclock_merge(struct gossip_vclock *clock, const struct gossip_vclock *other);

/* Meet: the element-wise minimum, the greatest clock that both cover. Cannot fail. */
void gossip_vclock_meet(struct gossip_vclock *clock, const struct gossip_vclock *other);

/* EQUAL, BEFORE (a is covered by b and not equal), AFTER or CONCURRENT, in one pass. */
enum gossip_relation gossip_vclock_compare(const struct gossip_vclock *a,
                                           const struct gossip_vclock *b);

/* Whether clock has seen the dot (author, seq). Dot 0 of any author has always been seen. */
bool gossip_vclock_covers_dot(const struct gossip_vclock *clock, uint32_t author, uint64_t seq);

/* Whether clock has seen all that other has. */
bool gossip_vclock_covers(const struct gossip_vclock *clock, const struct gossip_vclock *other);

/* Text and JSON. Names come from and go to the caller, who knows what the numbers stand for. */

/* Writes the name of author and a final NUL to name[size]; returns its length, or an error. */
typedef int gossip_vclock_name(void *context, uint32_t author, char *name, size_t size);

/* Finds the author called name[size] (no final NUL) and writes its number to ret_author; returns 0,
 * or an error, NOT_FOUND where there is none. */
typedef int gossip_vclock_find(void *context, const char *name, size_t size, uint32_t *ret_author);

/* Longest name that text and JSON can carry, with its final NUL. */
enum { GOSSIP_VCLOCK_NAME_MAX = 96 };

/* Writes "{n1:3 n2:1}" ("{}" if empty), sorted by name bytewise, and a final NUL. *ret_text is the
 * caller's, to be freed with free(). NOMEM, and what name returned. A name with a space, ',', ':',
 * '{', '}' or a control character, an empty one, and two authors of one name: INVALID. */
int gossip_vclock_to_text(const struct gossip_vclock *clock, gossip_vclock_name *name,
                          void *context, char **ret_text);

/* Reads what to_text writes. Spaces or one comma between entries; spaces around them are allowed,
 * the braces may be left out. An entry of 0 is allowed and changes nothing; a counter with zeros
 * before it is refused, as is a name, or an author, that stands twice. INVALID (and, unless NULL,
 * *ret_where tells the offset of the first byte that does not fit), LIMIT past GOSSIP_COUNTER_MAX
 * (with offset), NOMEM, and what find returned (with offset). *clock, which must be valid, is
 * replaced on success only. */
int gossip_vclock_from_text(struct gossip_vclock *clock, const char *text, size_t size,
                            gossip_vclock_find *find, void *context, size_t *ret_where);

/* The same as a JSON object, {"n1":3,"n2":1}, sorted by name bytewise, no white space; strings
 * escaped as RFC 8259 asks, names may be any valid UTF-8, but no two the same (else INVALID).
 * Counters are plain integers. */
int gossip_vclock_to_json(const struct gossip_vclock *clock, gossip_vclock_name *name,
                          void *context, char **ret_text);

/* Reads one such object, white space allowed where RFC 8259 allows it. Numbers must be integers
 * without sign, fraction or exponent and are read exactly, also above 2^53. Errors as from_text. */
int gossip_vclock_from_json(struct gossip_vclock *clock, const char *text, size_t size,
                            gossip_vclock_find *find, void *context, size_t *ret_where);

#ifdef __cplusplus
}
#endif

#endif
