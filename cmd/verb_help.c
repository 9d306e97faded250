/* Help on verbs and on topics, and the version. */
#include "cmd/command.h"

#include <stdio.h>
#include <string.h>

#include "cmd/text.h"
#include "gossip/gossip.h"

static const struct {
    const char *name;
    const char *summary;
    const char *text;
} topics[] = {
    {"events", "how events, clocks and authors are called",
     "An event is called by its dot, author and number: n1:3 is the third event of n1. An author\n"
     "is called by the name in its certificate. Where two authors share a name (two nodes of one\n"
     "name, or one node in two epochs), each is called by the name, # and some digits of its\n"
     "epoch: n1#ab12:3. What is shown can always be typed.\n"
     "\n"
     "A clock tells of each author the last of its events: {n1:3 n2:1}. The clock of an event\n"
     "holds all that its author had seen when writing it, and the event itself. One event came\n"
     "before another where the other's clock holds it; where neither holds the other they are\n"
     "concurrent.\n"},
    {"exit", "what the exit codes mean",
     "   0  ok\n"
     "   1  the answer is no, or what was asked for could not be done\n"
     "   2  usage: the command line is not understood\n"
     "   3  no node is running on the directory\n"
     "   4  no answer in time\n"
     "  65  what is stored contradicts itself\n"
     "  71  no memory, or no descriptors, left\n"
     "  74  reading or writing failed; after publish, whether the event was written is not known\n"
     "  75  another process uses the directory; the error names it\n"
     "  77  the system allows too little, or a key's file too much\n"
     "  78  an option, an address, a file or the directory is not fit for a node\n"},
    {"experiments", "the language of experiments, which lab plays",
     "A script of an experiment has one statement a line. Brackets hold what may be left out;\n"
     "<-> may stand for ->, for both directions. What stands without a time happens right after\n"
     "the statement before it; an expectation with a time takes at most so long.\n"
     "\n"
     "    LINE         [WHEN] [STATEMENT]                        # comment\n"
     "    WHEN         [at TIME | at +TIME] [every TIME until END]\n"
     "    STATEMENT    nodes COUNT [down NODES]\n"
     "                 nodes NAME ... [down NODES]\n"
     "                 period TIME\n"
     "                 link [NODES -> NODES] [latency TIME] [jitter TIME]\n"
     "                      [loss PERCENT] [duplicate PERCENT]\n"
     "                 publish NODES [\"TEXT\"]\n"
     "                 publish NODES [COUNT] [of SIZE]\n"
     "                 load RATE [of SIZE] [on NODES] until END\n"
     "                 partition NODES | NODES ...\n"
     "                 cut NODES -> NODES\n"
     "                 heal [NODES -> NODES]\n"
     "                 kill NODES, stop NODES, start NODES, pause NODES, resume NODES\n"
     "                 backup NODES\n"
     "                 restore NODES [machine]\n"
     "                 clone NODE as NAME\n"
     "                 skew NODES TIME\n"
     "                 disk NODES full [SIZE], slow TIME, fail [read, write or sync], or ok\n"
     "                 expect EXPECTATION [within TIME]\n"
     "    EXPECTATION  converged [NODES]\n"
     "                 no-loss [NODES]\n"
     "                 no-duplicates, causal, monotonic: these without a time\n"
     "                 clock NODES {n1:3 n2:1}\n"
     "                 clock DOT {n1:3 n2:1}\n"
     "                 relation DOT DOT before, after, equal or concurrent\n"
     "                 events NODES [>= or <=] N\n"
     "                 deliveries NODES [>= or <=] N\n"
     "                 concurrent [>= or <=] N\n"
     "                 exit NODES CODE\n"
     "    NODES        NODE ..., or * for all of them; in a partition, for all others\n"
     "    DOT          n1:3; n1'2:1 of its second epoch\n"
     "    TIME         500ms, 10s, 10, 2m, 1h; in a skew also with + or - before it\n"
     "    END          TIME from the start, or +TIME from where it begins\n"
     "    SIZE         100B, 100, 4KiB, 1MiB\n"
     "    PERCENT      5%, 0.25%\n"
     "    RATE         20/s, 5/m, 100/h\n"
     "\n"
     "`gossip lab list` shows scripts to start from; docs/lab.md tells what each statement "
     "does.\n"},
    {"files", "what stands in a node's directory",
     "  node.key        the node's secret key and its certificate; 0600\n"
     "  store.db        all the node knows, an SQLite database; with -wal and -shm beside it\n"
     "                  while it runs\n"
     "  store.db.side   what tells that store.db was set back; no backup takes it along\n"
     "  store.db.lock   names the process that uses the directory\n"
     "  store.db.marker names the event that is being handed out, in case the process ends\n"
     "  cluster.key     of the first node of a cluster: admits other nodes; keep it safe\n"
     "  api.sock        while the node runs: where it listens for requests\n"},
};

enum { TOPICS = sizeof(topics) / sizeof(topics[0]) };

const char *command_topic(const char *name)
{
    for (size_t i = 0; i < TOPICS; i++)
        if (strcmp(topics[i].name, name) == 0)
            return topics[i].text;
    return NULL;
}

static void print_help(void)
{
    printf("gossip: nodes that tell each other signed events, and know which could have caused "
           "which\n\nusage: gossip VERB [--dir D] ...\n");
    for (enum command_group group = 0; group < GROUPS; group++) {
        printf("\n%s\n", command_group_title(group));
        for (size_t i = 0; i < command_count; i++)
            if (commands[i]->group == group)
                printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
    }
    printf("\nGOSSIP_DIR names the node's directory where --dir does not.\n"
           "`gossip help VERB` tells more of each, with examples. Topics:\n");
    for (size_t i = 0; i < TOPICS; i++)
        printf("  %-11s %s\n", topics[i].name, topics[i].summary);
    printf("\nExamples:\n"
           "  gossip init --dir n1 --name n1\n"
           "  gossip node --dir n1 --listen 127.0.0.1:7001 &\n"
           "  gossip publish --dir n1 hello\n"
           "  gossip log --dir n1\n");
}

enum exit_code command_refuse_verb(const char *name)
{
    struct text escaped = {0};

    text_add_escaped(&escaped, name, strlen(name), TEXT_ESCAPE_TERMINAL);
    complain("there is no verb \"%s\"; verbs come first, and `gossip help` lists them",
             escaped.data ? escaped.data : "");
    text_clear(&escaped);
    return EXIT_USAGE;
}

static enum exit_code run_help(const struct command *command, int argc, char **argv)
{
    const struct command *about;
    const char *topic;
    struct command_line line;

    command_line_start(&line, command, argc, argv);
    command_line_next(&line);
    if (!command_line_check_arguments(&line, 0, 1))
        return line.code;
    if (optind == argc) {
        print_help();
        return EXIT_OK;
    }
    topic = command_topic(argv[optind]);
    if (topic) {
        fputs(topic, stdout);
        return EXIT_OK;
    }
    about = command_find(argv[optind]);
    if (!about)
        return command_refuse_verb(argv[optind]);
    command_help(about);
    return EXIT_OK;
}

static enum exit_code run_version(const struct command *command, int argc, char **argv)
{
    struct command_line line;

    command_line_start(&line, command, argc, argv);
    command_line_next(&line);
    if (!command_line_check_arguments(&line, 0, 0))
        return line.code;
    if (line.json)
        printf("{\"version\":\"%s\"}\n", gossip_version());
    else
        printf("gossip %s\n", gossip_version());
    return EXIT_OK;
}

const struct command command_help_verb = {
    .name = "help",
    .group = GROUP_HELP,
    .offers = OFFER_VERB,
    .summary = "tell of a verb or of a topic",
    .usage = "[VERB | TOPIC]",
    .text = "Lists the verbs and topics, or tells of one of them.\n",
    .nowhere = true,
    .examples = "  gossip help publish\n"
                "  gossip help exit\n",
    .run = run_help,
};

const struct command command_version = {
    .name = "version",
    .group = GROUP_HELP,
    .summary = "tell the version",
    .usage = "[--json]",
    .text = "Prints the version of this command and its library.\n",
    .nowhere = true,
    .json = "{\"version\":\"0.1.0\"}",
    .examples = "  gossip version\n",
    .run = run_version,
};
