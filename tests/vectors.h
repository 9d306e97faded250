/*
 * The golden bytes of tests/vectors: files of lines `field = hex`, and `# comments`. What is
 * missing or cannot be read fails the test.
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vectors;

/* Reads tests/vectors/NAME.txt; name is without directory and ending. */
struct vectors *vectors_open(const char *name);
void vectors_close(struct vectors *vectors);

/* The bytes of a field, lent until close; never NULL, also where there are none. Each field has
 * memory of its own, so that a sanitizer sees who reads past its end. */
const uint8_t *vectors_get(const struct vectors *vectors, const char *field, size_t *ret_size);

/* The same, of a field that must have so many bytes. */
const uint8_t *vectors_fixed(const struct vectors *vectors, const char *field, size_t size);

/* A field of eight bytes, most significant first. */
uint64_t vectors_number(const struct vectors *vectors, const char *field);

bool vectors_has(const struct vectors *vectors, const char *field);

/* The name of a field by its place in the file; NULL past the last. */
const char *vectors_field(const struct vectors *vectors, size_t index);

#endif
