/*
 * Stand-in cryptography for virtual worlds, behind the table of gossip/crypto.h.
 *
 * It keeps every promise that honest nodes rely on (what was altered does not verify, a box opens
 * for the two it is for, hashes of different bytes differ) and none against somebody who tries:
 * whoever knows a public key can sign with it, and open boxes. It costs a hundredth.
 */
#ifndef GOSSIP_LAB_STANDIN_H
#define GOSSIP_LAB_STANDIN_H

#include "gossip/crypto.h"

/* Keyed hashes all through. The same bytes on every machine and with every compiler. Keys look as
 * libsodium's: the secret one is the seed and the public one. The last bit of a public key is 0;
 * bytes with that bit set are no key, nor are zeros, nor a byte and zeros after it. Never NULL. */
const struct gossip_crypto *standin_crypto(void);

#endif
