#include "cmd/command.h"

#include <assert.h>
#include <stdarg.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/text.h"

enum { HELP_WIDTH = 88, OPTION_WIDTH_MAX = 24 };

/* Words of text, wrapped, each line after the first indented. */
static void print_wrapped(const char *text, int indent)
{
    int column = indent;

    for (const char *word = text; *word;) {
        int length = (int)strcspn(word, " ");

        if (column > indent && column + 1 + length > HELP_WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        column += printf("%s%.*s", column > indent ? " " : "", length, word);
        word += length;
        word += strspn(word, " ");
    }
    printf("\n");
}

static int option_width(const struct command_option *option)
{
    return (int)(strlen(option->name) + (option->value ? 1 + strlen(option->value) : 0));
}

static void print_option(const struct command_option *option, int width)
{
    int used = printf("  --%s%s%s", option->name, option->value ? " " : "",
                      option->value ? option->value : "");

    if (used > width + 4)
        printf("\n%*s", width + 6, "");
    else
        printf("%*s", width + 6 - used, "");
    print_wrapped(option->text, width + 6);
}

void command_help(const struct command *command)
{
    const struct command_option directory = {
        .name = "dir", .value = "D", .text = "the node's directory (else GOSSIP_DIR)"};
    const struct command_option json = {.name = "json", .text = command->json};
    int width = option_width(&directory);

    for (size_t i = 0; command->options && command->options[i].name; i++)
        if (width < option_width(&command->options[i]) &&
            option_width(&command->options[i]) <= OPTION_WIDTH_MAX)
            width = option_width(&command->options[i]);
    printf("usage: gossip %s %s\n\n%s", command->name, command->usage, command->text);
    if (!command->nowhere || command->options || command->json)
        printf("\n");
    if (!command->nowhere)
        print_option(&directory, width);
    for (size_t i = 0; command->options && command->options[i].name; i++)
        print_option(&command->options[i], width);
    if (command->json)
        print_option(&json, width);
    printf("%s%s\nExamples:\n%s", command->notes ? "\n" : "", command->notes ? command->notes : "",
           command->examples);
}

static void add_option(struct command_line *line, size_t *count, const char *name, bool has_value,
                       int id)
{
    line->options[(*count)++] = (struct option){
        .name = name, .has_arg = has_value ? required_argument : no_argument, .val = id};
}

void command_line_start(struct command_line *line, const struct command *command, int argc,
                        char **argv)
{
    const struct command_option *own = command->options;
    const char *directory = getenv("GOSSIP_DIR");
    size_t count = 0;

    *line = (struct command_line){.command = command,
                                  .argc = argc,
                                  .argv = argv,
                                  .directory = directory && *directory ? directory : NULL};
    if (!command->nowhere)
        add_option(line, &count, "dir", true, 'd');
    if (command->json)
        add_option(line, &count, "json", false, 'j');
    add_option(line, &count, "help", false, 'h');
    for (; own && own->name; own++) {
        assert(count < COMMAND_OPTIONS_MAX + 3);
        add_option(line, &count, own->name, own->value != NULL, own->id);
    }
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
