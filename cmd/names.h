/*
 * What authors are called. A name is that of the author's certificate: n1. Where two authors share
 * it (two nodes of one name, or one node before and after it lost its store), each is called n1#
 * and as many hex digits of its epoch as tell them apart, at least four. An author whose
 * certificate is not here yet is called ? and the first digits of its id, at least eight.
 *
 * Names are a snapshot: authors that become known later are not in it.
 */
#ifndef CMD_NAMES_H
#define CMD_NAMES_H

#include "cmd/text.h"
#include "gossip/gossip.h"

#include <stddef.h>
#include <stdint.h>

struct names;

/* authors[i].number must be i; authors is lent for the call. NOMEM. */
int names_create(const struct gossip_author *authors, size_t count, struct names **ret_names);
void names_destroy(struct names *names);

/* Of all authors a gossip knows. NOMEM. */
int names_of(const struct gossip *gossip, struct names **ret_names);

/* Calls every author by all digits: n1# and those of its epoch and its id, or ? and those of the
 * id. What it is called then does not change as others become known. */
void names_show_all(struct names *names);

size_t names_count(const struct names *names);

/* The name of author, lent. */
const char *names_get(const struct names *names, uint32_t author);

/* The place of author among all, sorted by name bytewise. */
size_t names_rank(const struct names *names, uint32_t author);

/* As gossip_vclock_name, context being the names. */
int names_write(void *context, uint32_t author, char *name, size_t size);

/*
 * Finds the author that text[size] names: a name as shown, a certificate's name that only one
 * author has, name#DIGITS with enough digits of the epoch (16, then those of the id), or ?DIGITS of
 * the id. NOT_FOUND, INVALID (more than one fits); ret_explanation is then added to.
 */
int names_find(const struct names *names, const char *text, size_t size, uint32_t *ret_author,
               struct text *ret_explanation);

/* Reads "n1:3". INVALID (also when more than one author fits), NOT_FOUND; ret_explanation is then
 * added to. */
int names_read_dot(const struct names *names, const char *text, struct gossip_dot *ret_dot,
                   struct text *ret_explanation);

#endif
