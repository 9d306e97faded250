/*
 * Cryptography for virtual worlds, behind the table of gossip/crypto.h.
 *
 * The stand-in keeps every promise that honest nodes rely on (what was altered does not verify, a
 * box opens for the two it is for, hashes of different bytes differ) and none against somebody who
 * tries: whoever knows a public key can sign with it. It costs a fiftieth.
 */
#ifndef GOSSIP_LAB_STANDIN_H
#define GOSSIP_LAB_STANDIN_H

#include "gossip/crypto.h"

/* Keyed hashes all through. The same bytes on every machine and with every compiler. Never NULL. */
const struct gossip_crypto *standin_crypto(void);

/* libsodium, but a signature that has been verified once, for the same bytes and key, is remembered
 * (and so is a shared key): an event is verified by every node of a world, with one result. What is
 * remembered is the process's; forget it between runs that are to be compared in speed. */
const struct gossip_crypto *remembering_crypto(void);
void remembering_crypto_forget(void);

#endif
