#include "gossip/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "wire.pb-c.h" /* For its descriptors alone: nothing but gossip/wire.c may know more. */

/* A message type that could hold itself would let a datagram decide how deep we recurse. */
static void check_depth(const ProtobufCMessageDescriptor *message, unsigned levels)
{
    assert_int_not_equal(levels, 0);
    for (unsigned i = 0; i < message->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->fields[i];

        if (i > 0)
            assert_true(message->fields[i - 1].id < field->id);
        assert_false(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
        switch (field->type) { /* What the walk knows how to judge. */
        case PROTOBUF_C_TYPE_MESSAGE:
            check_depth(field->descriptor, levels - 1);
            break;
        case PROTOBUF_C_TYPE_BOOL:
        case PROTOBUF_C_TYPE_UINT32:
        case PROTOBUF_C_TYPE_UINT64:
        case PROTOBUF_C_TYPE_FIXED64:
        case PROTOBUF_C_TYPE_BYTES:
            assert_int_not_equal(field->label, PROTOBUF_C_LABEL_REPEATED); /* Or it could pack. */
            break;
        default:
            fail_msg("%s has a type that gossip/wire.c does not judge", field->name);
        }
    }
}

static void test_schema(void **state)
{
    static const ProtobufCMessageDescriptor *const messages[] = {
        &gossip__wire__hello__descriptor,     &gossip__wire__digest__descriptor,
        &gossip__wire__pull__descriptor,      &gossip__wire__part__descriptor,
        &gossip__wire__addresses__descriptor, &gossip__wire__certificate__descriptor,
        &gossip__wire__eviction__descriptor,  &gossip__wire__proof__descriptor,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        check_depth(messages[i], GOSSIP_MESSAGE_DEPTH);
}

static void test_pull(void **state)
{
    static const uint8_t author[GOSSIP_ID_SIZE] = {1, 2, 3};
    static struct wire_arena arena;
    struct wire_pull pull = {.request = 1, .want_count = GOSSIP_WANTS_MAX};
    struct wire_pull decoded;
    static uint8_t buffer[65536];
    size_t size;

    (void)state;
    for (size_t i = 0; i < GOSSIP_WANTS_MAX; i++) {
        pull.wants[i] = (struct wire_want){
            author, UINT64_C(1) << 61, GOSSIP_COUNTER_MAX, {{0}}, GOSSIP_GAPS_MAX};
        for (size_t k = 0; k < GOSSIP_GAPS_MAX; k++)
            pull.wants[i].gaps[k] = (struct wire_gap){UINT32_MAX, UINT32_MAX};
    }
    size = wire_encode_pull(&pull, buffer, sizeof(buffer));
    assert_true(size > 0);
    assert_true(wire_decode_pull(&arena, buffer, size, &decoded));
    assert_int_equal(decoded.want_count, GOSSIP_WANTS_MAX);
    assert_int_equal(decoded.wants[23].gaps[31].size, UINT32_MAX);
    assert_int_equal(wire_encode_pull(&pull, buffer, size - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_pull),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
