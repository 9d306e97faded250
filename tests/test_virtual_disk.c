#include "store/virtual_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"

static void test_open(void **state)
{
    struct virtual_disk *disk = virtual_disk_create(1);
    struct gossip_store *store;
    char explanation[512] = "";

    (void)state;
    virtual_disk_install(1);
    if (virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, explanation,
                                sizeof(explanation), &store) < 0)
        fail_msg("%s", explanation);
    store->ops->close(store);
    virtual_disk_destroy(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
    };

    return cmocka_run_group_tests_name("virtual disk", tests, NULL, NULL);
}
