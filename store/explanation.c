#include "store/explanation.h"

#include <stdarg.h>
#include <stdio.h>

void explanation_set(struct explanation *explanation, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vsnprintf(explanation->text, sizeof(explanation->text), format, arguments) < 0)
        explanation->text[0] = '\0';
    va_end(arguments);
    for (char *byte = explanation->text; *byte != '\0'; byte++)
        if ((unsigned char)*byte < 0x20 || *byte == 0x7f)
            *byte = '?';
}
