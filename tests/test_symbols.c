/*
 * Every function of the shared library, referenced by name: a program that was linked with it finds
 * each, and finds the one that the library exports. tests/structure.py compares the list with nm.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "gossip/mailbox.h"

#define SYMBOL(name)                                                                               \
    {                                                                                              \
#name, (void (*)(void))(name)                                                              \
    }

static const struct symbol {
    const char *name;
    void (*function)(void);
} symbols[] = {
    SYMBOL(gossip_address_to_text),
    SYMBOL(gossip_archive_check),
    SYMBOL(gossip_author),
    SYMBOL(gossip_author_count),
    SYMBOL(gossip_author_find),
    SYMBOL(gossip_author_name),
    SYMBOL(gossip_clock),
    SYMBOL(gossip_cluster_create),
    SYMBOL(gossip_cluster_destroy),
    SYMBOL(gossip_cluster_from_text),
    SYMBOL(gossip_cluster_to_text),
    SYMBOL(gossip_create),
    SYMBOL(gossip_destroy),
    SYMBOL(gossip_event_after),
    SYMBOL(gossip_event_get),
    SYMBOL(gossip_event_pop),
    SYMBOL(gossip_export_close),
    SYMBOL(gossip_export_next),
    SYMBOL(gossip_export_open),
    SYMBOL(gossip_file_open),
    SYMBOL(gossip_held),
    SYMBOL(gossip_identity_cluster),
    SYMBOL(gossip_identity_create),
    SYMBOL(gossip_identity_destroy),
    SYMBOL(gossip_identity_from_text),
    SYMBOL(gossip_identity_key),
    SYMBOL(gossip_identity_name),
    SYMBOL(gossip_identity_to_text),
    SYMBOL(gossip_import),
    SYMBOL(gossip_last_delivery),
    SYMBOL(gossip_log_close),
    SYMBOL(gossip_log_next),
    SYMBOL(gossip_log_open),
    SYMBOL(gossip_logging_open),
    SYMBOL(gossip_mailbox_answer),
    SYMBOL(gossip_mailbox_close),
    SYMBOL(gossip_mailbox_open),
    SYMBOL(gossip_mailbox_poll_fd),
    SYMBOL(gossip_mailbox_post),
    SYMBOL(gossip_mailbox_stop),
    SYMBOL(gossip_mailbox_take),
    SYMBOL(gossip_memory_open),
    SYMBOL(gossip_metrics_open),
    SYMBOL(gossip_metrics_read),
    SYMBOL(gossip_notice_name),
    SYMBOL(gossip_notice_pop),
    SYMBOL(gossip_peer),
    SYMBOL(gossip_peer_count),
    SYMBOL(gossip_poll_fd),
    SYMBOL(gossip_post_destroy),
    SYMBOL(gossip_post_wait),
    SYMBOL(gossip_proof_check),
    SYMBOL(gossip_publish),
    SYMBOL(gossip_publish_once),
    SYMBOL(gossip_recover),
    SYMBOL(gossip_relation),
    SYMBOL(gossip_relation_name),
    SYMBOL(gossip_result_pop),
    SYMBOL(gossip_retry_open),
    SYMBOL(gossip_run),
    SYMBOL(gossip_self),
    SYMBOL(gossip_signed),
    SYMBOL(gossip_signed_count),
    SYMBOL(gossip_sqlite_check),
    SYMBOL(gossip_sqlite_open),
    SYMBOL(gossip_sqlite_salvage),
    SYMBOL(gossip_start_state),
    SYMBOL(gossip_stats),
    SYMBOL(gossip_store_call_name),
    SYMBOL(gossip_store_remove),
    SYMBOL(gossip_strerror),
    SYMBOL(gossip_system_time),
    SYMBOL(gossip_timeout_ms),
    SYMBOL(gossip_udp_open),
    SYMBOL(gossip_udp_resolve),
    SYMBOL(gossip_vclock_clear),
    SYMBOL(gossip_vclock_compare),
    SYMBOL(gossip_vclock_copy),
    SYMBOL(gossip_vclock_covers),
    SYMBOL(gossip_vclock_covers_dot),
    SYMBOL(gossip_vclock_from_json),
    SYMBOL(gossip_vclock_from_text),
    SYMBOL(gossip_vclock_get),
    SYMBOL(gossip_vclock_increment),
    SYMBOL(gossip_vclock_meet),
    SYMBOL(gossip_vclock_merge),
    SYMBOL(gossip_vclock_raise),
    SYMBOL(gossip_vclock_reserve),
    SYMBOL(gossip_vclock_set),
    SYMBOL(gossip_vclock_to_json),
    SYMBOL(gossip_vclock_to_text),
    SYMBOL(gossip_verdict_name),
    SYMBOL(gossip_verify),
    SYMBOL(gossip_version),
};

static void test_each_is_the_exported_one(void **state)
{
    void *library = dlopen("libgossip.so.0", RTLD_LAZY | RTLD_NOLOAD);

    (void)state;
    assert_non_null(library);
    for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
        void *found = dlsym(library, symbols[i].name);

        if (found == NULL || memcmp(&found, &symbols[i].function, sizeof(found)) != 0)
            fail_msg("%s is not what the library exports", symbols[i].name);
    }
    assert_null(dlsym(library, "gossip_node_step")); /* Hidden, as all that is not public. */
    assert_int_equal(dlclose(library), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_is_the_exported_one)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
