#include "transport/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        enum address_host host;
        uint16_t port;
        const char *name;
    } cases[] = {
        {":7001", true, ADDRESS_HOST_EMPTY, 7001, ""},
        {":0", true, ADDRESS_HOST_EMPTY, 0, ""},
        {"127.0.0.1:7001", true, ADDRESS_HOST_NUMERIC, 7001, ""},
        {"255.255.255.255:65535", true, ADDRESS_HOST_NUMERIC, 65535, ""},
        {"[::1]:1", true, ADDRESS_HOST_NUMERIC, 1, ""},
        {"[::ffff:1.2.3.4]:1", true, ADDRESS_HOST_NUMERIC, 1, ""},
        {"localhost:7001", true, ADDRESS_HOST_NAME, 7001, "localhost"},
        {"a-b.example.org.:7001", true, ADDRESS_HOST_NAME, 7001, "a-b.example.org."},
        {"4you.example:7001", true, ADDRESS_HOST_NAME, 7001, "4you.example"},
        {"0xyz:7001", true, ADDRESS_HOST_NAME, 7001, "0xyz"},
        /* Ports. */
        {"", false, 0, 0, NULL},
        {"localhost", false, 0, 0, NULL},
        {"localhost:", false, 0, 0, NULL},
        {"localhost:65536", false, 0, 0, NULL},
        {"localhost:99999", false, 0, 0, NULL},
        {"localhost:100000", false, 0, 0, NULL},
        {"localhost:18446744073709551617", false, 0, 0, NULL},
        {"localhost:07001", false, 0, 0, NULL},
        {"localhost:00", false, 0, 0, NULL},
        {"localhost:+7", false, 0, 0, NULL},
        {"localhost:-1", false, 0, 0, NULL},
        {"localhost: 7", false, 0, 0, NULL},
        {"localhost:7 ", false, 0, 0, NULL},
        {"localhost:0x7", false, 0, 0, NULL},
        {"localhost:http", false, 0, 0, NULL},
        /* IPv6. */
        {"::1:7001", false, 0, 0, NULL},
        {"::1", false, 0, 0, NULL},
        {"[::1]", false, 0, 0, NULL},
        {"[::1]7001", false, 0, 0, NULL},
        {"[::1:7001", false, 0, 0, NULL},
        {"[]:7001", false, 0, 0, NULL},
        {"[127.0.0.1]:7001", false, 0, 0, NULL},
        {"[localhost]:7001", false, 0, 0, NULL},
        {"[::1%lo]:7001", false, 0, 0, NULL},
        {"[1::2::3]:7001", false, 0, 0, NULL},
        /* Other ways to write IPv4, which people read as something else. */
        {"127.1:7001", false, 0, 0, NULL},
        {"2130706433:7001", false, 0, 0, NULL},
        {"0x7f.0.0.1:7001", false, 0, 0, NULL},
        {"127.0.0.0x1:7001", false, 0, 0, NULL},
        {"0x7f000001:7001", false, 0, 0, NULL},
        {"127.0.0.256:7001", false, 0, 0, NULL},
        {"127.0.0.01:7001", false, 0, 0, NULL},
        {"1.2.3.4.5:7001", false, 0, 0, NULL},
        /* Names. */
        {".:7001", false, 0, 0, NULL},
        {"a..b:7001", false, 0, 0, NULL},
        {".a:7001", false, 0, 0, NULL},
        {"-a:7001", false, 0, 0, NULL},
        {"a b:7001", false, 0, 0, NULL},
        {"a\n:7001", false, 0, 0, NULL},
        {"b\xc3\xbc"
         "cher.example:7001",
         false, 0, 0, NULL},
        {"a/b:7001", false, 0, 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address_parts parts;
        const char *reason = "";
        int error;

        print_message("%s\n", cases[i].text);
        memset(&parts, 0xa5, sizeof(parts));
        error = address_parse(cases[i].text, &parts, &reason);
        assert_int_equal(error, cases[i].valid ? GOSSIP_OK : GOSSIP_ERR_INVALID);
        if (!cases[i].valid) {
            assert_non_null(reason);
            assert_int_equal(parts.port, 0xa5a5); /* Untouched. */
            continue;
        }
        assert_null(reason);
        assert_int_equal(parts.host, cases[i].host);
        assert_int_equal(parts.port, cases[i].port);
        assert_string_equal(parts.name, cases[i].name);
    }
}

static void test_longest_name(void **state)
{
    struct address_parts parts;
    const char *reason;
    char text[ADDRESS_NAME_MAX + 8];

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text + ADDRESS_NAME_MAX, ":1", 3);
    assert_int_equal(address_parse(text, &parts, &reason), GOSSIP_OK);
    assert_int_equal(strlen(parts.name), ADDRESS_NAME_MAX);
    memcpy(text + ADDRESS_NAME_MAX, "a:1", 4);
    assert_int_equal(address_parse(text, &parts, &reason), GOSSIP_ERR_INVALID);
}

static void test_text_both_ways(void **state)
{
    static const struct {
        const char *read;
        const char *written;
    } cases[] = {
        {"127.0.0.1:7001", "127.0.0.1:7001"},
        {"0.0.0.0:1", "0.0.0.0:1"},
        {"[::ffff:127.0.0.1]:7001", "127.0.0.1:7001"},
        {"[::FFFF:7f00:1]:7001", "127.0.0.1:7001"},
        {"[::]:65535", "[::]:65535"},
        {"[0:0:0:0:0:0:0:1]:7001", "[::1]:7001"},
        {"[2001:DB8::A]:7001", "[2001:db8::a]:7001"},
        {"[fe80::1]:7001", "[fe80::1]:7001"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gossip_address address;
        struct gossip_address again;
        char text[GOSSIP_ADDRESS_TEXT_MAX];

        assert_int_equal(address_from_text(cases[i].read, &address), GOSSIP_OK);
        gossip_address_to_text(&address, text);
        assert_string_equal(text, cases[i].written);
        assert_int_equal(address_from_text(text, &again), GOSSIP_OK);
        assert_memory_equal(address.ip, again.ip, sizeof(address.ip));
        assert_int_equal(address.port, again.port);
    }
}

/* xorshift64*: enough for a test, and the same everywhere. */
static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(2685821657736338717);
}

/* Whatever the address: its text fits, reads back as the same, and so does its socket form. */
static void test_all_forms_agree(void **state)
{
    uint64_t seed = 20250117;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 20000; i++) {
        struct gossip_address address = {.port = (uint16_t)(draw(&seed) % UINT16_MAX + 1)};
        struct gossip_address back;
        union socket_address socket_address;
        char text[GOSSIP_ADDRESS_TEXT_MAX];
        uint64_t zeros = draw(&seed);
        socklen_t size;

        for (size_t j = 0; j < sizeof(address.ip); j++) {
            uint64_t byte = draw(&seed);

            address.ip[j] = (zeros >> j & 1) != 0 ? 0 : (uint8_t)byte;
        }
        if (i % 4 == 0)
            memcpy(address.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
        gossip_address_to_text(&address, text);
        assert_int_equal(address_from_text(text, &back), GOSSIP_OK);
        assert_memory_equal(back.ip, address.ip, sizeof(address.ip));
        assert_int_equal(back.port, address.port);

        size = address_to_socket(&address, &socket_address);
        assert_int_equal(socket_address.any.sa_family, i % 4 == 0 ? AF_INET : AF_INET6);
        memset(&back, 0, sizeof(back));
        assert_int_equal(address_from_socket(&socket_address, size, &back), GOSSIP_OK);
        assert_memory_equal(back.ip, address.ip, sizeof(address.ip));
        assert_int_equal(back.port, address.port);
        assert_int_equal(address_from_socket(&socket_address, size - 1, &back), GOSSIP_ERR_INVALID);
    }
}

static void test_from_text_refuses_what_is_no_address(void **state)
{
    static const char *const cases[] = {":7001", "localhost:7001", "127.0.0.1:0", "[::1]:0", "x"};
    struct gossip_address address = {.port = 42};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(address_from_text(cases[i], &address), GOSSIP_ERR_INVALID);
        assert_int_equal(address.port, 42);
    }
}

static void test_kinds(void **state)
{
    static const struct {
        const char *text;
        bool is_ipv4;
        bool is_loopback;
        bool is_link_local;
    } cases[] = {
        {"127.0.0.1:1", true, true, false},   {"127.255.0.9:1", true, true, false},
        {"128.0.0.1:1", true, false, false},  {"0.0.0.0:1", true, false, false},
        {"[::1]:1", false, true, false},      {"[::]:1", false, false, false},
        {"[fe80::1]:1", false, false, true},  {"[febf::1]:1", false, false, true},
        {"[fec0::1]:1", false, false, false}, {"[fd00::1]:1", false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gossip_address address;

        assert_int_equal(address_from_text(cases[i].text, &address), GOSSIP_OK);
        assert_int_equal(address_is_ipv4(&address), cases[i].is_ipv4);
        assert_int_equal(address_is_loopback(&address), cases[i].is_loopback);
        assert_int_equal(address_is_link_local(&address), cases[i].is_link_local);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_longest_name),
        cmocka_unit_test(test_text_both_ways),
        cmocka_unit_test(test_all_forms_agree),
        cmocka_unit_test(test_from_text_refuses_what_is_no_address),
        cmocka_unit_test(test_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
