/* What names this machine, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "cmd/loopback.h"
#include "transport/address.h"

static void test_read(void **state)
{
    static const struct {
        const char *text;
        const char *shown; /* NULL: refused. */
    } cases[] = {
        {"127.0.0.1:9464", "127.0.0.1:9464"},
        {"127.77.0.1:1", "127.77.0.1:1"},
        {"[::1]:65535", "[::1]:65535"},
        {"[::ffff:127.0.0.1]:80", "127.0.0.1:80"},
        {"127.0.0.1:0", "127.0.0.1:0"},
        {"0.0.0.0:9464", NULL},
        {"[::]:9464", NULL},
        {":9464", NULL},
        {"192.168.1.1:9464", NULL},
        {"128.0.0.1:9464", NULL},
        {"126.255.255.255:9464", NULL},
        {"[::2]:9464", NULL},
        {"[fe80::1]:9464", NULL},
        {"[::ffff:10.0.0.1]:9464", NULL},
        {"localhost:9464", NULL},
        {"127.0.0.1", NULL},
        {"127.0.0.1:", NULL},
        {"127.0.0.1:65536", NULL},
        {"127.0.0.1:-1", NULL},
        {"127.1:9464", NULL},
        {"::1:9464", NULL},
        {"9464", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char shown[GOSSIP_ADDRESS_TEXT_MAX];
        struct gossip_address address;
        const char *reason = loopback_read(cases[i].text, &address);

        if (!cases[i].shown && (!reason || strlen(reason) == 0))
            fail_msg("\"%s\" was taken", cases[i].text);
        if (cases[i].shown && reason)
            fail_msg("\"%s\": %s", cases[i].text, reason);
        if (cases[i].shown) {
            gossip_address_to_text(&address, shown);
            assert_string_equal(shown, cases[i].shown);
        }
    }
}

static void test_host(void **state)
{
    static const struct {
        const char *host;
        bool is_ours;
    } cases[] = {
        {"localhost", true},
        {"LocalHost:9464", true},
        {"127.0.0.1", true},
        {"127.0.0.1:9464", true},
        {"127.255.255.254", true},
        {"[::1]", true},
        {"[::1]:9464", true},
        {"[0:0:0:0:0:0:0:1]", true},
        {"[::ffff:127.0.0.1]:9464", true},
        {"", false},
        {":9464", false},
        {"example.org", false},
        {"example.org:9464", false},
        {"localhost.example.org", false},
        {"127.0.0.1.example.org", false},
        {"127.0.0.1@example.org", false},
        {"localhost:9464@example.org", false},
        {"localhost:9464/", false},
        {"localhost ", false},
        {" localhost", false},
        {"localhost:port", false},
        {"10.0.0.1", false},
        {"128.0.0.1", false},
        {"0.0.0.0:9464", false},
        {"127.1", false},
        {"0177.0.0.1", false},
        {"2130706433", false},
        {"[::]", false},
        {"[::1", false},
        {"[::1]x", false},
        {"[::1]9464", false},
        {"[127.0.0.1]", false},
        {"[fe80::1]", false},
        {"[]", false},
        {"::1", false},
        {"[", false},
        {"[::1]:9464:1", false},
        {"0000000000000000000000000000000000000000000000000000000000000127.0.0.1", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (loopback_is_host(cases[i].host) != cases[i].is_ours)
            fail_msg("\"%s\"", cases[i].host);
}

static void test_listen(void **state)
{
    struct gossip_address address;
    struct gossip_address bound;
    union socket_address peer;
    socklen_t size;
    int listener;
    int client;

    (void)state;
    assert_null(loopback_read("127.0.0.1:0", &address));
    assert_int_equal(loopback_listen(&address, &listener, &bound), EXIT_OK);
    assert_int_not_equal(bound.port, 0);
    assert_true(address_is_loopback(&bound));
    size = address_to_socket(&bound, &peer);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, &peer.any, size), 0);
    close(client);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_listen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
