#include "gossip/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* Stands before libsodium's function of this name: a library more lenient than any, that takes
 * whatever it is shown. What is refused below is refused by us. */
int crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *data,
                                unsigned long long size, const unsigned char *key);

static int library_answer;

int crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *data,
                                unsigned long long size, const unsigned char *key)
{
    (void)signature;
    (void)data;
    (void)size;
    (void)key;
    return library_answer;
}

static void test_unfit_r_is_refused_where_the_library_takes_it(void **state)
{
    static const char *const unfit[] = {
        "05b8f7930469880a7e0cd7dd7ac7dbf4e13339b76f9c1214bb4a6f3f8c6e6fa8", /* Mixed order. */
        "0100000000000000000000000000000000000000000000000000000000000000", /* Identity. */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* Identity. */
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* Not canonical. */
        "0200000000000000000000000000000000000000000000000000000000000000", /* Not a point. */
    };
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    uint8_t seed[GOSSIP_SEED_SIZE] = {1};
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t secret[GOSSIP_SECRET_SIZE];
    uint8_t signature[GOSSIP_SIGNATURE_SIZE];

    (void)state;
    crypto->key_pair(seed, key, secret);
    crypto->sign(signature, "data", 4, secret);
    assert_true(crypto->verify(signature, "data", 4, key));
    library_answer = -1;
    assert_false(crypto->verify(signature, "data", 4, key));
    library_answer = 0;
    for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++) {
        for (size_t j = 0; j < 32; j++) {
            unsigned value;

            assert_int_equal(sscanf(unfit[i] + 2 * j, "%2x", &value), 1);
            signature[j] = (uint8_t)value;
        }
        if (crypto->verify(signature, "data", 4, key))
            fail_msg("R = %s is taken", unfit[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unfit_r_is_refused_where_the_library_takes_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
