/*
 * What the shared library shows: the functions of its public headers, and nothing else. Everything
 * is compiled hidden, and with this header included before all else, so that to declare a function
 * in a public header is to export it. libgossip.map adds the version to the names.
 */
#ifndef GOSSIP_EXPORT_H
#define GOSSIP_EXPORT_H

#pragma GCC visibility push(default)
#include "gossip/gossip.h"
#include "gossip/mailbox.h"
#include "gossip/store.h"
#include "gossip/transport.h"
#include "gossip/vclock.h"
#pragma GCC visibility pop

#endif
