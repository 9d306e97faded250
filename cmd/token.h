/*
 * Tokens: a clock as a short text that other nodes of the cluster can check, safe in a shell and in
 * an address. docs/protocol.md, "Tokens", draws its bytes.
 */
#ifndef CMD_TOKEN_H
#define CMD_TOKEN_H

#include "cmd/text.h"
#include "gossip/gossip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOKEN_ID_SIZE = 8, TOKEN_HEAD_SIZE = 4 };

/* An author, and the last of its events that count as seen. */
struct token_entry {
    uint8_t id[TOKEN_ID_SIZE];     /* The first bytes of the author's id. */
    uint8_t head[TOKEN_HEAD_SIZE]; /* The first bytes of the event's hash; zero: not known. */
    uint64_t seq;                  /* 1 or more. */
};

struct token {
    struct token_entry *entries; /* Ascending by id, each id once. */
    size_t count;
};

/* Adds a token to ret_text; entries are sorted. Authors whose ids begin alike are left out. */
void token_write(const uint8_t cluster[GOSSIP_KEY_SIZE], struct token_entry *entries, size_t count,
                 struct text *ret_text);

/* Adds the token of all that a node holds and has delivered. IO, DAMAGED, NOMEM. */
int token_of(struct gossip *gossip, const uint8_t cluster[GOSSIP_KEY_SIZE], struct text *ret_text);

/* Whether text could be a token at all, rather than a dot. */
bool token_is(const char *text);

/* Reads a token; *ret_token is the caller's, to be cleared. INVALID (damaged, or none), FOREIGN (of
 * another cluster, or of a newer version), NOMEM; ret_explanation is then added to. */
int token_read(const uint8_t cluster[GOSSIP_KEY_SIZE], const char *text, struct token *ret_token,
               struct text *ret_explanation);
void token_clear(struct token *token);

/* The entry of the author with id; NULL: there is none. */
const struct token_entry *token_find(const struct token *token, const uint8_t id[GOSSIP_ID_SIZE]);

#endif
