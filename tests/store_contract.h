/*
 * The contract of gossip/store.h as tests, to be run over any store.
 */
#ifndef GOSSIP_TESTS_STORE_CONTRACT_H
#define GOSSIP_TESTS_STORE_CONTRACT_H

#include "gossip/store.h"

struct store_factory {
    const char *name;

    /* Makes a new store, empty. */
    int (*create)(void *context, struct gossip_store **ret_store);

    /* Opens again what create made, once it has been closed. NULL: nothing outlives a close. */
    int (*reopen)(void *context, struct gossip_store **ret_store);

    /* Removes what is left after the last close. May be NULL. */
    void (*discard)(void *context);

    void *context;
};

/* Runs all tests; returns how many have failed. */
int store_contract_run(const struct store_factory *factory);

#endif
