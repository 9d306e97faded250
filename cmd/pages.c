/*
 * Makes what is made of the table of verbs, when gossip is built: pages of the manual (in the
 * language of scdoc) and the completions of shells.
 *
 *     pages man GROUP     one group of verbs, by its number; without GROUP the page of the command
 *     pages bash|zsh|fish
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "gossip/gossip.h"

/* ---- Text for scdoc, to which _ * \ and some first characters mean something. ---- */

static void put_escaped(const char *text)
{
    for (; *text; text++) {
        if (strchr("_*\\#`~", *text))
            putchar('\\');
        putchar(*text);
    }
}

/* Paragraphs are apart by an empty line; lines that begin with spaces stay as they are. */
static void put_paragraphs(const char *text)
{
    bool literal = false;

    while (*text) {
        size_t length = strcspn(text, "\n");
        bool is_literal = *text == ' ';
        char line[512];

        if (is_literal != literal)
            printf("```\n");
        literal = is_literal;
        snprintf(line, sizeof(line), "%.*s", (int)length, text);
        if (literal)
            printf("%s", line);
        else
            put_escaped(line);
        putchar('\n');
        text += length + (text[length] == '\n');
    }
    if (literal)
        printf("```\n");
}

static void put_option(const char *name, const char *value, const char *text)
{
    printf("*--%s*", name);
    if (value) {
        printf(" _");
        put_escaped(value);
        printf("_");
    }
    printf("\n\t");
    put_escaped(text);
    printf("\n\n");
}

static void put_title(const char *name, const char *summary)
{
    printf("%s(1) \"gossip %s\" \"gossip\"\n\n# NAME\n\n%s - ", name, gossip_version(), name);
    put_escaped(summary);
    printf("\n\n");
}

/* ---- Pages of the manual. ---- */

static const char *const page_names[GROUPS] = {
    [GROUP_RUN] = "gossip-nodes",   [GROUP_EVENTS] = "gossip-events",
    [GROUP_STATE] = "gossip-state", [GROUP_FILES] = "gossip-files",
    [GROUP_LAB] = "gossip-lab",     [GROUP_HELP] = "gossip",
};

static void put_usage(const struct command *command)
{
    printf("```\ngossip %s ", command->name);
    for (const char *text = command->usage; *text; text++) {
        putchar(*text);
        if (*text == '\n') /* Help indents it to stand under the first line there. */
            text += strspn(text + 1, " ") > 4 ? strspn(text + 1, " ") - 4 : 0;
    }
    printf("\n```\n\n");
}

static void put_verb(const struct command *command)
{
    const struct command_option *option = command->options;

    printf("# GOSSIP ");
    for (const char *name = command->name; *name; name++)
        putchar(toupper((unsigned char)*name));
    printf("\n\n");
    put_usage(command);
    put_paragraphs(command->text);
    putchar('\n');
    if (!command->nowhere)
        put_option("dir", "D", "the node's directory (else GOSSIP_DIR)");
    for (; option && option->name; option++)
        put_option(option->name, option->value, option->text);
    if (command->json)
        put_option("json", NULL, command->json);
    if (command->notes) {
        put_paragraphs(command->notes);
        putchar('\n');
    }
    printf("Examples:\n\n```\n%s```\n\n", command->examples);
}

static void put_see_also(enum command_group except)
{
    printf("# SEE ALSO\n\n");
    for (enum command_group group = 0; group < GROUPS; group++)
        if (group != except)
            printf("*%s*(1), ", page_names[group]);
    printf("*gossip-api*(7), *gossip-protocol*(7), *libgossip*(3)\n");
}

static void put_group(enum command_group group)
{
    put_title(page_names[group], command_group_summary(group));
    for (size_t i = 0; i < command_count; i++)
        if (commands[i]->group == group)
            put_verb(commands[i]);
    if (group == GROUP_LAB) {
        printf("# LANGUAGE\n\n");
        put_paragraphs(command_topic("experiments"));
        putchar('\n');
    }
    printf("# EXIT STATUS\n\n");
    put_paragraphs(command_topic("exit"));
    putchar('\n');
    put_see_also(group);
}

static void put_command(void)
{
    put_title("gossip", "nodes that tell each other signed events, and know which could have "
                        "caused which");
    printf("# SYNOPSIS\n\n*gossip* _VERB_ [*--dir* _D_] ...\n\n# DESCRIPTION\n\n");
    put_paragraphs(command_topic("events"));
    putchar('\n');
    for (enum command_group group = 0; group < GROUPS; group++) {
        printf("## %s%s%s%s\n\n", command_group_title(group), group == GROUP_HELP ? "" : ", see ",
               group == GROUP_HELP ? "" : page_names[group], group == GROUP_HELP ? "" : "(1)");
        for (size_t i = 0; i < command_count; i++) {
            if (commands[i]->group != group)
                continue;
            printf("*%s*\n\t", commands[i]->name);
            put_escaped(commands[i]->summary);
            printf("\n\n");
        }
    }
    printf("# EXIT STATUS\n\n");
    put_paragraphs(command_topic("exit"));
    printf("\n# FILES\n\n");
    put_paragraphs(command_topic("files"));
    printf("\n# ENVIRONMENT\n\n*GOSSIP_DIR*\n\tThe node's directory where *--dir* does not name "
           "it.\n\n*NO_COLOR*\n\tWhere it is set and not empty, nothing is coloured.\n\n"
           "*TERM*\n\tWhere it is *dumb*, empty or not set, nothing is coloured.\n\n"
           "# EXAMPLES\n\n```\n  gossip dev\n  gossip init --dir n1 --name n1\n"
           "  gossip node --dir n1 --listen 127.0.0.1:7001 &\n  gossip publish --dir n1 hello\n"
           "  gossip log --dir n1\n```\n\n");
    put_see_also(GROUP_HELP);
}

/* ---- Completions. ---- */

static void put_options(const struct command *command, const char *before)
{
    if (!command->nowhere)
        printf("%sdir", before);
    for (const struct command_option *option = command->options; option && option->name; option++)
        printf("%s%s", before, option->name);
    if (command->json)
        printf("%sjson", before);
    printf("%shelp", before);
}

/* What the shells' own functions call what is offered. */
static const char *offer_name(enum command_offer offer)
{
    switch (offer) {
    case OFFER_NOTHING:
        return "nothing";
    case OFFER_FILE:
        return "file";
    case OFFER_DIRECTORY:
        return "node";
    case OFFER_DOT:
        return "dot";
    case OFFER_AUTHOR:
        return "author";
    case OFFER_WORDS:
        return "words";
    case OFFER_VERB:
        return "verb";
    case OFFER_WORDS_AND_FILES:
        return "both";
    }
    return "nothing";
}

static void put_bash(void)
{
    printf("# Completion of gossip for bash, made when it was built.\n\n"
           "_gossip_verbs='");
    for (size_t i = 0; i < command_count; i++)
        printf("%s%s", i > 0 ? " " : "", commands[i]->name);
    printf("'\n\n"
           "# What the verb $1 takes: its options, and what its arguments are.\n"
           "_gossip_verb() {\n    case $1 in\n");
    for (size_t i = 0; i < command_count; i++) {
        printf("    %s)\n        options='", commands[i]->name);
        put_options(commands[i], " --");
        printf("'\n        offers=%s words='%s'\n        ;;\n", offer_name(commands[i]->offers),
               commands[i]->words ? commands[i]->words : "");
    }
    printf("    *) options= offers=nothing words= ;;\n    esac\n}\n\n"
           "# What follows the option $2 of the verb $1; offers is empty where nothing does.\n"
           "_gossip_value() {\n    case \"$1 $2\" in\n    *' --dir') offers=node words= ;;\n");
    for (size_t i = 0; i < command_count; i++) {
        const struct command_option *option = commands[i]->options;

        for (; option && option->name; option++)
            if (option->value)
                printf("    '%s --%s') offers=%s words='%s' ;;\n", commands[i]->name, option->name,
                       offer_name(option->offers), option->words ? option->words : "");
    }
    printf("    *) offers= words= ;;\n    esac\n}\n\n");
    fputs(
        "# Directories, those of nodes first of all: only they, where there are any.\n"
        "_gossip_nodes() {\n"
        "    local directory nodes=()\n"
        "    while IFS= read -r directory; do\n"
        "        [[ -e $directory/node.key ]] && nodes+=(\"$directory\")\n"
        "    done < <(compgen -d -- \"$1\")\n"
        "    if ((${#nodes[@]} > 0)); then printf '%s\\n' \"${nodes[@]}\"; else compgen -d -- "
        "\"$1\"; fi\n"
        "}\n\n"
        "# The last event of each author, and once an author is typed its last twenty.\n"
        "_gossip_dots() {\n"
        "    local entry author last seq\n"
        "    for entry in $(gossip clock --dir \"$2\" 2>/dev/null | tr -d '{}'); do\n"
        "        author=${entry%:*} last=${entry##*:}\n"
        "        case $1 in\n"
        "        \"$author\":*)\n"
        "            for ((seq = last; seq > 0 && seq > last - 20; seq--)); do\n"
        "                printf '%s:%d\\n' \"$author\" \"$seq\"\n"
        "            done\n"
        "            ;;\n"
        "        *) printf '%s\\n' \"$entry\" ;;\n"
        "        esac\n"
        "    done\n"
        "}\n\n"
        "_gossip() {\n"
        "    local line=${COMP_LINE:0:COMP_POINT} word verb= directory=$GOSSIP_DIR options "
        "offers words i\n"
        "    local -a typed\n"
        "    # By spaces alone: a dot has a colon, at which bash would part it.\n"
        "    read -ra typed <<<\"$line\"\n"
        "    [[ $line == *' ' ]] && typed+=('')\n"
        "    word=${typed[-1]}\n"
        "    for ((i = 1; i < ${#typed[@]} - 1; i++)); do\n"
        "        case ${typed[i]} in\n"
        "        --dir) directory=${typed[i + 1]} ;;\n"
        "        -*) ;;\n"
        "        *) [[ -z $verb ]] && verb=${typed[i]} ;;\n"
        "        esac\n"
        "    done\n"
        "    COMPREPLY=()\n"
        "    if [[ -z $verb ]]; then\n"
        "        mapfile -t COMPREPLY < <(compgen -W \"$_gossip_verbs --help --version\" -- "
        "\"$word\")\n"
        "        return\n"
        "    fi\n"
        "    _gossip_value \"$verb\" \"${typed[-2]}\"\n"
        "    if [[ -z $offers ]]; then\n"
        "        _gossip_verb \"$verb\"\n"
        "        if [[ $word == -* ]]; then\n"
        "            mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
        "            return\n"
        "        fi\n"
        "    fi\n"
        "    case $offers in\n"
        "    file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "
        "\"$word\") ;;\n"
        "    node) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(_gossip_nodes "
        "\"$word\") ;;\n"
        "    dot) mapfile -t COMPREPLY < <(compgen -W \"$(_gossip_dots \"$word\" \"$directory\")\" "
        "-- \"$word\") ;;\n"
        "    author) mapfile -t COMPREPLY < <(compgen -W \"$(_gossip_dots '' \"$directory\" | "
        "sed 's/:[0-9]*$//')\" -- \"$word\") ;;\n"
        "    words) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\") ;;\n"
        "    both) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -W "
        "\"$words\" "
        "-- \"$word\"; compgen -f -- \"$word\") ;;\n"
        "    verb) mapfile -t COMPREPLY < <(compgen -W \"$_gossip_verbs events exit experiments "
        "files\" -- "
        "\"$word\") ;;\n"
        "    esac\n"
        "    # bash has parted the word at its colon: what stands before it is typed already.\n"
        "    if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then\n"
        "        COMPREPLY=(\"${COMPREPLY[@]#\"${word%\"${word##*:}\"}\"}\")\n"
        "    fi\n"
        "}\n\n"
        "complete -F _gossip gossip\n",
        stdout);
}

/* A text within quotes of one kind, which zsh and fish read alike but for this. */
static void put_quoted(const char *text, const char *quote)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs(quote, stdout);
        else if (strchr("[]:", *text) && quote[0] == '\'')
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void put_zsh_action(enum command_offer offer, const char *words)
{
    switch (offer) {
    case OFFER_FILE:
        fputs("_files", stdout);
        break;
    case OFFER_DIRECTORY:
        fputs("_gossip_nodes", stdout);
        break;
    case OFFER_DOT:
        fputs("_gossip_dots", stdout);
        break;
    case OFFER_AUTHOR:
        fputs("_gossip_authors", stdout);
        break;
    case OFFER_WORDS:
        printf("(%s)", words);
        break;
    case OFFER_VERB:
        fputs("_gossip_verbs", stdout);
        break;
    case OFFER_WORDS_AND_FILES:
        printf("{ compadd %s; _files }", words);
        break;
    case OFFER_NOTHING:
        break;
    }
}

static void put_zsh(void)
{
    fputs("#compdef gossip\n# Completion of gossip for zsh, made when it was built.\n\n"
          "_gossip_verbs() {\n    local -a verbs=(\n",
          stdout);
    for (size_t i = 0; i < command_count; i++) {
        printf("        '%s:", commands[i]->name);
        put_quoted(commands[i]->summary, "'\\''");
        printf("'\n");
    }
    fputs("    )\n    _describe verb verbs\n}\n\n"
          "_gossip_nodes() { _files -/ }\n\n"
          "_gossip_clock() { gossip clock --dir \"${opt_args[--dir]:-$GOSSIP_DIR}\" 2>/dev/null | "
          "tr -d '{}' }\n\n"
          "_gossip_dots() { local -a dots=(${=\"$(_gossip_clock)\"}); compadd -a dots }\n\n"
          "_gossip_authors() { local -a dots=(${=\"$(_gossip_clock)\"}); compadd ${dots%:*} }\n\n"
          "_gossip() {\n    if ((CURRENT == 2)); then\n        _gossip_verbs\n        return\n"
          "    fi\n    local verb=$words[2]\n    shift words\n    ((CURRENT--))\n"
          "    case $verb in\n",
          stdout);
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = commands[i];
        const struct command_option *option = command->options;

        printf("    %s)\n        _arguments -s", command->name);
        if (!command->nowhere)
            printf(" \\\n            '--dir[the node'\\''s directory]:directory:_gossip_nodes'");
        for (; option && option->name; option++) {
            printf(" \\\n            '*--%s[", option->name);
            put_quoted(option->text, "'\\''");
            printf("]");
            if (option->value) {
                printf(":");
                put_quoted(option->value, "'\\''");
                printf(":");
                put_zsh_action(option->offers, option->words);
            }
            printf("'");
        }
        if (command->json)
            printf(" \\\n            '--json[one object a line]'");
        printf(" \\\n            '--help[tell of this verb]'");
        if (command->offers != OFFER_NOTHING) {
            printf(" \\\n            '*: :");
            put_zsh_action(command->offers, command->words);
            printf("'");
        }
        printf("\n        ;;\n");
    }
    fputs("    esac\n}\n\n_gossip \"$@\"\n", stdout);
}

static void put_fish_offer(enum command_offer offer, const char *words)
{
    switch (offer) {
    case OFFER_FILE:
        fputs(" -F", stdout);
        break;
    case OFFER_DIRECTORY:
        fputs(" -a '(__fish_complete_directories)'", stdout);
        break;
    case OFFER_DOT:
        fputs(" -a '(__gossip_dots)'", stdout);
        break;
    case OFFER_AUTHOR:
        fputs(" -a '(__gossip_dots | string replace -r \":\\d+$\" \"\")'", stdout);
        break;
    case OFFER_WORDS:
        printf(" -a '%s'", words);
        break;
    case OFFER_WORDS_AND_FILES:
        printf(" -F -a '%s'", words);
        break;
    case OFFER_VERB:
        printf(" -a '");
        for (size_t i = 0; i < command_count; i++)
            printf("%s ", commands[i]->name);
        printf("'");
        break;
    case OFFER_NOTHING:
        break;
    }
}

static void put_fish(void)
{
    fputs("# Completion of gossip for fish, made when it was built.\n\n"
          "function __gossip_dots\n"
          "    set -l words (commandline -opc)\n"
          "    set -l directory $GOSSIP_DIR\n"
          "    if set -l at (contains -i -- --dir $words)\n"
          "        set directory $words[(math $at + 1)]\n"
          "    end\n"
          "    gossip clock --dir $directory 2>/dev/null | string trim -c '{}' | string split ' '\n"
          "end\n\ncomplete -c gossip -f\n",
          stdout);
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = commands[i];
        const struct command_option *option = command->options;

        printf("complete -c gossip -n __fish_use_subcommand -a %s -d '", command->name);
        put_quoted(command->summary, "\\'");
        printf("'\n");
        if (command->offers != OFFER_NOTHING) {
            printf("complete -c gossip -n '__fish_seen_subcommand_from %s'", command->name);
            put_fish_offer(command->offers, command->words);
            printf("\n");
        }
        if (!command->nowhere)
            printf("complete -c gossip -n '__fish_seen_subcommand_from %s' -l dir -x -a "
                   "'(__fish_complete_directories)' -d 'the node\\'s directory'\n",
                   command->name);
        for (; option && option->name; option++) {
            printf("complete -c gossip -n '__fish_seen_subcommand_from %s' -l %s%s", command->name,
                   option->name,
                   !option->value                 ? ""
                   : option->offers == OFFER_FILE ? " -r"
                                                  : " -x");
            if (option->value)
                put_fish_offer(option->offers, option->words);
            printf(" -d '");
            put_quoted(option->text, "\\'");
            printf("'\n");
        }
        if (command->json)
            printf("complete -c gossip -n '__fish_seen_subcommand_from %s' -l json -d 'one object "
                   "a line'\n",
                   command->name);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "man") == 0 && argc == 2)
        put_command();
    else if (strcmp(what, "man") == 0 && atoi(argv[2]) >= 0 && atoi(argv[2]) < GROUP_HELP)
        put_group((enum command_group)atoi(argv[2]));
    else if (strcmp(what, "bash") == 0)
        put_bash();
    else if (strcmp(what, "zsh") == 0)
        put_zsh();
    else if (strcmp(what, "fish") == 0)
        put_fish();
    else {
        fprintf(stderr, "usage: pages man [GROUP] | bash | zsh | fish\n");
        return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}
