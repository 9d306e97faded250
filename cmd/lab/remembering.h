/*
 * libsodium, but what is known is not computed again: whether a signature fits bytes and a key, and
 * which key two share. In a virtual world every node verifies the same events, with one result; and
 * what was signed here with a sound key fits.
 *
 * What is remembered is the process's, of one thread, and bounded: the newer answer takes the place
 * of an older one. Forget it between runs that are to be compared in speed.
 */
#ifndef GOSSIP_LAB_REMEMBERING_H
#define GOSSIP_LAB_REMEMBERING_H

#include "gossip/crypto.h"

const struct gossip_crypto *remembering_crypto(void); /* Never NULL. */
void remembering_crypto_forget(void);

#endif
