#include "tests/vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/bytes.h"

struct field {
    char *name;
    uint8_t *data;
    size_t size;
};

struct vectors {
    char path[512];
    struct field *fields;
    size_t count;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static const struct field *find(const struct vectors *vectors, const char *name)
{
    for (size_t i = 0; i < vectors->count; i++)
        if (strcmp(vectors->fields[i].name, name) == 0)
            return &vectors->fields[i];
    return NULL;
}

/* line: "name = hex", or "name =" where there are no bytes. */
static void read_field(struct vectors *vectors, const char *line)
{
    const char *end = strstr(line, " =");
    const char *hex;
    struct field field;

    if (end == NULL || (end[2] != '\0' && end[2] != ' '))
        fail_msg("%s: not a field: %s", vectors->path, line);
    hex = end[2] == ' ' ? end + 3 : end + 2;
    field.size = strlen(hex) / 2;
    field.name = strndup(line, (size_t)(end - line));
    field.data = malloc(field.size > 0 ? field.size : 1);
    if (field.name == NULL || field.data == NULL)
        fail_msg("out of memory");
    for (size_t i = 0; i < field.size; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = hex_digit(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            fail_msg("%s: %s is not hex", vectors->path, field.name);
        field.data[i] = (uint8_t)(high << 4 | low);
    }
    if (strlen(hex) % 2 != 0 || find(vectors, field.name) != NULL)
        fail_msg("%s: %s has half a byte, or stands twice", vectors->path, field.name);
    vectors->fields = realloc(vectors->fields, (vectors->count + 1) * sizeof(field));
    if (vectors->fields == NULL)
        fail_msg("out of memory");
    vectors->fields[vectors->count++] = field;
}

struct vectors *vectors_open(const char *name)
{
    struct vectors *vectors = calloc(1, sizeof(*vectors));
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    FILE *file;

    if (vectors == NULL)
        fail_msg("out of memory");
    snprintf(vectors->path, sizeof(vectors->path), "%s/%s.txt", VECTORS_DIR, name);
    file = fopen(vectors->path, "r");
    if (file == NULL)
        fail_msg("%s: %s", vectors->path, strerror(errno));
    while ((length = getline(&line, &capacity, file)) >= 0) {
        if (length > 0 && line[length - 1] == '\n')
            line[--length] = '\0';
        if (length > 0 && line[0] != '#')
            read_field(vectors, line);
    }
    if (ferror(file) || vectors->count == 0)
        fail_msg("%s: nothing could be read", vectors->path);
    free(line);
    fclose(file);
    return vectors;
}

void vectors_close(struct vectors *vectors)
{
    if (vectors == NULL)
        return;
    for (size_t i = 0; i < vectors->count; i++) {
        free(vectors->fields[i].name);
        free(vectors->fields[i].data);
    }
    free(vectors->fields);
    free(vectors);
}

const uint8_t *vectors_get(const struct vectors *vectors, const char *field, size_t *ret_size)
{
    const struct field *found = find(vectors, field);

    if (found == NULL)
        fail_msg("%s: there is no %s", vectors->path, field);
    *ret_size = found->size;
    return found->data;
}

const uint8_t *vectors_fixed(const struct vectors *vectors, const char *field, size_t size)
{
    size_t found;
    const uint8_t *data = vectors_get(vectors, field, &found);

    if (found != size)
        fail_msg("%s: %s has %zu bytes, not %zu", vectors->path, field, found, size);
    return data;
}

uint64_t vectors_number(const struct vectors *vectors, const char *field)
{
    return get_fixed(vectors_fixed(vectors, field, 8), 8);
}

bool vectors_has(const struct vectors *vectors, const char *field)
{
    return find(vectors, field) != NULL;
}

const char *vectors_field(const struct vectors *vectors, size_t index)
{
    return index < vectors->count ? vectors->fields[index].name : NULL;
}
