#include "cmd/lab/trace.h"

void trace_number(struct trace *trace, uint64_t number)
{
    /* The finalizer of splitmix64, so that every bit of both decides about every bit. */
    uint64_t z = (trace->hash ^ number) + UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    trace->hash = z ^ z >> 31;
}

void trace_bytes(struct trace *trace, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t sum = size;

    for (size_t at = 0; at < size; at += 8) {
        size_t rest = size - at < 8 ? size - at : 8;
        uint64_t word = 0;

        for (size_t i = 0; i < rest; i++)
            word |= (uint64_t)bytes[at + i] << 8 * i;
        sum = (sum ^ word) * UINT64_C(0x9fb21c651e98df25);
        sum ^= sum >> 35;
    }
    trace_number(trace, sum);
}
