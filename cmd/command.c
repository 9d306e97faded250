#include "cmd/command.h"

#include <stdarg.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/text.h"

void command_help(const struct command *command)
{
    printf("usage: gossip %s %s\n\n%s\nExamples:\n%s", command->name, command->usage, command->text,
           command->examples);
}

void command_line_start(struct command_line *line, const struct command *command,
                        const struct option *options, int argc, char **argv)
{
    const char *directory = getenv("GOSSIP_DIR");

    *line = (struct command_line){.command = command,
                                  .options = options,
                                  .argc = argc,
                                  .argv = argv,
                                  .directory = directory && *directory ? directory : NULL};
    opterr = 0;
    optind = 1;
}

void command_line_refuse(struct command_line *line, const char *format, ...)
{
    va_list arguments;
    char message[512];
    struct text escaped = {0};

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    text_add_escaped(&escaped, message, strlen(message), TEXT_ESCAPE_TERMINAL);
    complain("%s: %s; see `gossip %s --help`", line->command->name,
             escaped.failed ? "usage" : escaped.data, line->command->name);
    text_clear(&escaped);
    line->ended = true;
    line->code = EXIT_USAGE;
}

int command_line_next(struct command_line *line)
{
    for (;;) {
        int option = getopt_long(line->argc, line->argv, ":", line->options, NULL);

        switch (option) {
        case 'd':
            line->directory = optarg;
            break;
        case 'j':
            line->json = true;
            break;
        case 'h':
            command_help(line->command);
            line->ended = true;
            line->code = EXIT_OK;
            return -1;
        case ':':
            command_line_refuse(line, "%s needs a value", line->argv[optind - 1]);
            return -1;
        case '?':
            command_line_refuse(line, "the option %s is not known or needs no value",
                                line->argv[optind - 1]);
            return -1;
        default:
            return option;
        }
    }
}

bool command_line_check_arguments(struct command_line *line, int minimum, int maximum)
{
    int count = line->argc - optind;

    if (line->ended)
        return false;
    if (count > maximum)
        command_line_refuse(line, "too many arguments, from \"%s\" on",
                            line->argv[optind + maximum]);
    else if (count < minimum)
        command_line_refuse(line, "an argument is missing: gossip %s %s", line->command->name,
                            line->command->usage);
    return !line->ended;
}

bool command_line_check_directory(struct command_line *line)
{
    if (line->ended)
        return false;
    if (!line->directory)
        command_line_refuse(line, "no directory: name the node's with --dir D or in GOSSIP_DIR");
    else if (!*line->directory)
        command_line_refuse(line, "the name of the directory is empty");
    return !line->ended;
}

bool command_line_check(struct command_line *line, int minimum, int maximum)
{
    return command_line_check_arguments(line, minimum, maximum) &&
           command_line_check_directory(line);
}

/* A whole number and what it counts; without a word, seconds. */
static bool read_duration(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *word;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}};
    uint64_t number = 0;
    const char *digit = text;

    for (; *digit >= '0' && *digit <= '9' && number <= UINT32_MAX; digit++)
        number = number * 10 + (uint64_t)(*digit - '0');
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && digit != text; i++) {
        if (strcmp(digit, units[i].word) == 0) {
            *ret_ms = number * units[i].ms;
            return true;
        }
    }
    return false;
}

static void print_duration(uint32_t ms, char ret_text[16])
{
    if (ms % 3600000 == 0)
        snprintf(ret_text, 16, "%" PRIu32 "h", ms / 3600000);
    else if (ms % 1000 == 0)
        snprintf(ret_text, 16, "%" PRIu32 "s", ms / 1000);
    else
        snprintf(ret_text, 16, "%" PRIu32 "ms", ms);
}

bool command_line_read_duration(struct command_line *line, const char *option, uint32_t minimum_ms,
                                uint32_t maximum_ms, uint32_t *ret_ms)
{
    char minimum[16];
    char maximum[16];
    uint64_t ms;

    if (read_duration(optarg, &ms) && ms >= minimum_ms && ms <= maximum_ms) {
        *ret_ms = (uint32_t)ms;
        return true;
    }
    print_duration(minimum_ms, minimum);
    print_duration(maximum_ms, maximum);
    command_line_refuse(line, "%s is a time from %s to %s, such as 10s or 500ms, not \"%s\"",
                        option, minimum, maximum, optarg);
    return false;
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool command_line_read_key(struct command_line *line, const char *option, const char *text,
                           uint8_t ret_key[GOSSIP_KEY_SIZE])
{
    bool fits = strlen(text) == (size_t)2 * GOSSIP_KEY_SIZE;

    for (size_t i = 0; i < GOSSIP_KEY_SIZE && fits; i++) {
        int high = digit_value(text[2 * i]);
        int low = digit_value(text[2 * i + 1]);

        fits = high >= 0 && low >= 0;
        if (fits)
            ret_key[i] = (uint8_t)(high << 4 | low);
    }
    if (!fits)
        command_line_refuse(line,
                            "%s is a public key, 64 digits of 0-9 a-f as `gossip status` shows "
                            "them",
                            option);
    return fits;
}
