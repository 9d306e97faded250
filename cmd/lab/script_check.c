#include "cmd/lab/script_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What is known of a node's process before anything has started. */
enum process {
    PROCESS_UP,
    PROCESS_PAUSED,
    PROCESS_DOWN,
    PROCESS_ABSENT,  /* No clone has made it yet. */
    PROCESS_UNKNOWN, /* It may end by itself, or something that repeats starts and ends it. */
};

struct check {
    struct script *script;
    enum process processes[SCRIPT_NODES_MAX];
    unsigned changed[SCRIPT_NODES_MAX]; /* In which line it became so. */
    bool has_backup[SCRIPT_NODES_MAX];
    bool has_double[SCRIPT_NODES_MAX]; /* Another has its key: one of the two ends. */
    uint64_t earliest_ms;              /* Where in time the script is. */
    uint64_t latest_ms;
    uint64_t events;
    char *error;
};

static bool fail(const struct check *check, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(const struct check *check, unsigned line, const char *format, ...)
{
    va_list arguments;
    int length = script_fault(check->script, line, check->error);

    if (length >= 0 && length < SCRIPT_ERROR_MAX) {
        va_start(arguments, format);
        vsnprintf(check->error + length, SCRIPT_ERROR_MAX - (size_t)length, format, arguments);
        va_end(arguments);
    }
    return false;
}

static void time_text(uint64_t ms, char ret_text[24])
{
    if (ms % 1000 == 0)
        snprintf(ret_text, 24, "%" PRIu64 "s", ms / 1000);
    else
        snprintf(ret_text, 24, "%" PRIu64 "ms", ms);
}

/* ---- Time. ---- */

/* When what repeats is over; 0: it does not repeat. */
static uint64_t until_at_latest(const struct check *check, const struct statement *statement)
{
    return statement->is_lasting ? check->latest_ms + statement->until_ms : statement->until_ms;
}

static bool check_time(struct check *check, const struct statement *statement)
{
    char at[24];
    char latest[24];

    if (statement->is_at && statement->is_relative) {
        check->earliest_ms += statement->at_ms;
        check->latest_ms += statement->at_ms;
    } else if (statement->is_at) {
        time_text(statement->at_ms, at);
        time_text(check->latest_ms, latest);
        if (statement->at_ms < check->latest_ms)
            return fail(check, statement->line,
                        "found at %s, expected a time from %s on, where the lines before may end",
                        at, latest);
        check->earliest_ms = check->latest_ms = statement->at_ms;
    }
    if (statement->until_ms > 0 && !statement->is_lasting &&
        statement->until_ms < check->latest_ms) {
        time_text(statement->until_ms, at);
        time_text(check->latest_ms, latest);
        return fail(check, statement->line,
                    "found until %s, expected a time from %s on, where it "
                    "begins",
                    at, latest);
    }
    if (until_at_latest(check, statement) > check->script->end_ms)
        check->script->end_ms = until_at_latest(check, statement);
    if (statement->kind == STATEMENT_EXPECT && statement->is_within)
        check->latest_ms += statement->within_ms;
    if (check->latest_ms > SCRIPT_TIME_MAX || check->script->end_ms > SCRIPT_TIME_MAX)
        return fail(check, statement->line,
                    "found a script that may take longer, expected at most "
                    "24h");
    if (check->latest_ms > check->script->end_ms)
        check->script->end_ms = check->latest_ms;
    return true;
}

/* How often it happens. */
static uint64_t times(const struct check *check, const struct statement *statement)
{
    uint64_t ms = statement->until_ms - (statement->is_lasting ? 0 : check->earliest_ms);

    if (statement->kind == STATEMENT_LOAD)
        return ms * statement->number / statement->time_ms + 1;
    return statement->every_ms == 0 ? 1 : ms / statement->every_ms + 1;
}

static bool check_amount(struct check *check, const struct statement *statement)
{
    uint64_t nodes = (uint64_t)__builtin_popcountll(statement->nodes);

    if (statement->every_ms > 0 && times(check, statement) > SCRIPT_EVENTS_MAX)
        return fail(check, statement->line,
                    "found what happens %" PRIu64 " times, expected at most "
                    "%d",
                    times(check, statement), SCRIPT_EVENTS_MAX);
    if (statement->kind == STATEMENT_PUBLISH)
        check->events += times(check, statement) * statement->number * nodes;
    else if (statement->kind == STATEMENT_LOAD)
        check->events += times(check, statement);
    if (check->events > SCRIPT_EVENTS_MAX)
        return fail(check, statement->line,
                    "found %" PRIu64 " events up to here, expected at most "
                    "%d in a script",
                    check->events, SCRIPT_EVENTS_MAX);
    return true;
}

/* ---- Processes. ---- */

static bool fits(enum statement_kind kind, enum process process)
{
    switch (kind) {
    case STATEMENT_PUBLISH:
    case STATEMENT_STOP:
    case STATEMENT_PAUSE:
        return process == PROCESS_UP;
    case STATEMENT_KILL:
        return process == PROCESS_UP || process == PROCESS_PAUSED;
    case STATEMENT_RESUME:
        return process == PROCESS_PAUSED;
    case STATEMENT_START:
    case STATEMENT_BACKUP:
    case STATEMENT_RESTORE:
    case STATEMENT_CLONE:
        return process == PROCESS_DOWN;
    default:
        return true;
    }
}

static bool is_about_processes(enum statement_kind kind)
{
    return kind == STATEMENT_KILL || kind == STATEMENT_STOP || kind == STATEMENT_START ||
           kind == STATEMENT_PAUSE || kind == STATEMENT_RESUME;
}

/* What a node's process is after the statement. */
static enum process after(const struct statement *statement, enum process process)
{
    if (is_about_processes(statement->kind) && statement->every_ms > 0)
        return PROCESS_UNKNOWN;
    switch (statement->kind) {
    case STATEMENT_KILL:
    case STATEMENT_STOP:
        return PROCESS_DOWN;
    case STATEMENT_START:
    case STATEMENT_RESUME:
        return PROCESS_UP;
    case STATEMENT_PAUSE:
        return PROCESS_PAUSED;
    case STATEMENT_DISK:
        return statement->disk == DISK_OK || statement->disk == DISK_SLOW ? process
                                                                          : PROCESS_UNKNOWN;
    default:
        return process;
    }
}

static const char *process_text(enum process process)
{
    switch (process) {
    case PROCESS_UP:
        return "runs";
    case PROCESS_PAUSED:
        return "is paused";
    case PROCESS_DOWN:
        return "does not run";
    case PROCESS_ABSENT:
        return "does not exist yet";
    case PROCESS_UNKNOWN:
        return "may run";
    }
    return "may run";
}

static const char *needed_text(enum statement_kind kind)
{
    switch (kind) {
    case STATEMENT_KILL:
        return "one that runs or is paused";
    case STATEMENT_RESUME:
        return "one that is paused";
    case STATEMENT_START:
    case STATEMENT_BACKUP:
    case STATEMENT_RESTORE:
    case STATEMENT_CLONE:
        return "one that does not run: stop or kill it first";
    default:
        return "one that runs: start or resume it first";
    }
}

static bool check_processes(struct check *check, const struct statement *statement)
{
    const struct script *script = check->script;

    for (unsigned i = 0; i < script->node_count; i++) {
        enum process process = check->processes[i];
        char since[48] = "";

        if ((statement->nodes >> i & 1) == 0)
            continue;
        if (check->changed[i] > 0)
            snprintf(since, sizeof(since), " since line %u", check->changed[i]);
        if (!statement->is_all && process != PROCESS_UNKNOWN && statement->every_ms == 0 &&
            !fits(statement->kind, process))
            return fail(check, statement->line, "found %s, which %s%s, expected %s",
                        script->nodes[i].name, process_text(process), since,
                        needed_text(statement->kind));
        if (statement->kind == STATEMENT_RESTORE && !check->has_backup[i] && !statement->is_all)
            return fail(check, statement->line,
                        "found %s, of which there is no backup, expected "
                        "one that a line before backs up",
                        script->nodes[i].name);
        if (process == PROCESS_ABSENT || (statement->is_all && !fits(statement->kind, process)))
            continue;
        if (after(statement, process) != process) {
            check->processes[i] = after(statement, process);
            check->changed[i] = statement->line;
        }
        if (statement->kind == STATEMENT_BACKUP)
            check->has_backup[i] = true;
        /* Two processes of one key: either may end by itself. */
        check->has_double[i] = check->has_double[i] || statement->kind == STATEMENT_CLONE;
        if (check->has_double[i])
            check->processes[i] = PROCESS_UNKNOWN;
    }
    if (statement->kind == STATEMENT_CLONE) {
        check->processes[statement->copy] = PROCESS_UNKNOWN;
        check->has_double[statement->copy] = true;
    }
    return true;
}

static bool check_repeat(const struct check *check, const struct statement *statement)
{
    if (statement->every_ms == 0)
        return true;
    switch (statement->kind) {
    case STATEMENT_NODES:
    case STATEMENT_PERIOD:
    case STATEMENT_LOAD:
    case STATEMENT_CLONE:
    case STATEMENT_EXPECT:
        return fail(check, statement->line, "found every before %s, expected it once",
                    statement_name(statement->kind));
    default:
        return true;
    }
}

/* The shape of the whole stands before anything happens. */
static bool check_shape(const struct check *check, const struct statement *statement,
                        bool has_begun)
{
    if (statement->kind != STATEMENT_NODES && statement->kind != STATEMENT_PERIOD)
        return true;
    if (statement->is_at)
        return fail(check, statement->line, "found %s at a time, expected it without one",
                    statement_name(statement->kind));
    if (has_begun)
        return fail(check, statement->line, "found %s, expected it before all that happens",
                    statement_name(statement->kind));
    return true;
}

bool script_check(struct script *script, char ret_error[SCRIPT_ERROR_MAX])
{
    struct check check = {.script = script, .error = ret_error};
    bool has_begun = false;

    script->end_ms = 0;
    for (unsigned i = 0; i < script->node_count; i++) {
        check.processes[i] = script->nodes[i].is_copy   ? PROCESS_ABSENT
                             : script->nodes[i].is_down ? PROCESS_DOWN
                                                        : PROCESS_UP;
    }
    for (size_t i = 0; i < script->count; i++) {
        const struct statement *statement = &script->statements[i];

        if (statement->is_dropped)
            continue;
        if (!check_shape(&check, statement, has_begun) || !check_repeat(&check, statement) ||
            !check_time(&check, statement) || !check_amount(&check, statement) ||
            !check_processes(&check, statement))
            return false;
        has_begun = has_begun ||
                    (statement->kind != STATEMENT_NODES && statement->kind != STATEMENT_PERIOD);
    }
    return true;
}

/* ---- Places. ---- */

static const char *const ability_names[ABILITIES] = {
    [ABILITY_PROCESSES] = "processes",
    [ABILITY_LINKS] = "links that are cut, slow or lossy",
    [ABILITY_FILES] = "copies of a node's files",
    [ABILITY_MACHINE] = "machines set back as a whole",
    [ABILITY_CLOCKS] = "clocks that are wrong",
    [ABILITY_DISKS] = "disks that are full, slow or fail",
};

const char *ability_name(enum ability ability)
{
    return ability_names[ability];
}

enum ability statement_ability(const struct statement *statement)
{
    switch (statement->kind) {
    case STATEMENT_LINK:
    case STATEMENT_PARTITION:
    case STATEMENT_CUT:
    case STATEMENT_HEAL:
        return ABILITY_LINKS;
    case STATEMENT_RESTORE:
        return statement->is_machine ? ABILITY_MACHINE : ABILITY_FILES;
    case STATEMENT_BACKUP:
    case STATEMENT_CLONE:
        return ABILITY_FILES;
    case STATEMENT_SKEW:
        return ABILITY_CLOCKS;
    case STATEMENT_DISK:
        return ABILITY_DISKS;
    default:
        return ABILITY_PROCESSES;
    }
}

bool script_check_place(const struct script *script, const char *place, unsigned abilities,
                        char ret_error[SCRIPT_ERROR_MAX])
{
    for (size_t i = 0; i < script->count; i++) {
        const struct statement *statement = &script->statements[i];
        enum ability ability = statement_ability(statement);
        int length;

        if (statement->is_dropped || (abilities >> ability & 1) != 0)
            continue;
        length = script_fault(script, statement->line, ret_error);
        if (length >= 0 && length < SCRIPT_ERROR_MAX)
            snprintf(ret_error + length, SCRIPT_ERROR_MAX - (size_t)length,
                     "found %s, which needs %s, expected what --on %s can do%s",
                     statement_name(statement->kind), ability_name(ability), place,
                     script->by_hand ? "" : ": play it with --on sim");
        return false;
    }
    return true;
}
