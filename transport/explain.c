#include "transport/explain.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void explain(struct explanation *ret_explanation, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(ret_explanation->text, sizeof(ret_explanation->text), format, arguments);
    va_end(arguments);
    assert(length >= 0);
    for (char *byte = ret_explanation->text; *byte != '\0'; byte++)
        if (*byte < ' ' || *byte > '~')
            *byte = '?';
}

void explanation_copy(const struct explanation *explanation, char *ret_text, size_t size)
{
    if (ret_text != NULL && size > 0)
        snprintf(ret_text, size, "%s", explanation->text);
}
