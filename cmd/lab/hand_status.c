/* The nodes of an experiment by hand at a glance. */
#include "cmd/lab/hand_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CLOCK_MAX = 8192 };

static const char *state_of(const struct hand_view *view, unsigned node)
{
    const struct journal_node *seen = &view->stage->journal->nodes[node];

    return seen->is_up ? seen->is_paused ? "paused" : "up" : "down";
}

static void clock_of(const struct hand_view *view, unsigned node, char ret_text[CLOCK_MAX])
{
    const struct journal *journal = view->stage->journal;

    ret_text[0] = '\0';
    if (journal->nodes[node].has_clock)
        journal_clock_text(journal, view->script, &journal->nodes[node].clock, ret_text, CLOCK_MAX);
}

static bool is_parted(const struct hand_view *view)
{
    for (unsigned i = 0; i < view->script->node_count; i++)
        if (play_part(view->play, i) > 0)
            return true;
    return false;
}

/* ---- For a person. ---- */

static void add_node(const struct hand_view *view, unsigned node, struct text *text)
{
    const struct journal_node *seen = &view->stage->journal->nodes[node];
    struct stage_node place = {0};
    size_t start = text->size;
    char clock[CLOCK_MAX];

    if (view->stage->ops->locate)
        view->stage->ops->locate(view->stage, node, &place);
    clock_of(view, node, clock);
    text_print(text, "  %s", view->script->nodes[node].name);
    text_pad(text, start + 10);
    text_add(text, state_of(view, node));
    if (!seen->is_up && seen->has_run)
        text_print(text, ", %d", seen->code);
    text_pad(text, start + 21);
    text_add(text, place.address);
    text_pad(text, start + 40);
    if (place.process > 0)
        text_print(text, "%ld", place.process);
    text_pad(text, start + 49);
    text_print(text, "%" PRIu64, journal_count_shown(view->stage->journal, node));
    text_pad(text, start + 57);
    if (is_parted(view))
        text_print(text, "%u", play_part(view->play, node));
    text_pad(text, start + 63);
    text_print(text, "%s\n", clock);
}

static void add_percent(const char *name, uint32_t ppm, struct text *text)
{
    char fraction[8];
    size_t length;

    if (ppm == 0)
        return;
    snprintf(fraction, sizeof(fraction), ".%04" PRIu32, ppm % 10000);
    for (length = strlen(fraction); length > 0 && strchr(".0", fraction[length - 1]); length--)
        fraction[length - 1] = '\0';
    text_print(text, " %s %" PRIu32 "%s%%", name, ppm / 10000, fraction);
}

static void add_link(const struct script_link *link, struct text *text)
{
    if (link->latency_ms > 0)
        text_print(text, " latency %" PRIu32 "ms", link->latency_ms);
    if (link->jitter_ms > 0)
        text_print(text, " jitter %" PRIu32 "ms", link->jitter_ms);
    add_percent("loss", link->loss_ppm, text);
    add_percent("duplicate", link->duplicate_ppm, text);
    text_add(text, "\n");
}

/* One line where all are alike. */
static void add_links(const struct hand_view *view, struct text *text)
{
    const struct script_link plain = {0};
    unsigned count = view->script->node_count;
    const struct script_link *first = count > 1 ? play_link(view->play, 0, 1) : &plain;
    bool are_alike = true;

    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < count; j++)
            are_alike = are_alike &&
                        (i == j || memcmp(play_link(view->play, i, j), first, sizeof(*first)) == 0);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < count; j++) {
            const struct script_link *link = play_link(view->play, i, j);
            bool is_plain = memcmp(link, &plain, sizeof(plain)) == 0;

            if (i != j && play_is_cut(view->play, i, j))
                text_print(text, "  cut   %s -> %s\n", view->script->nodes[i].name,
                           view->script->nodes[j].name);
            if (i == j || is_plain || (are_alike && (i != 0 || j != 1)))
                continue;
            text_print(text, "  link  %s -> %s", are_alike ? "*" : view->script->nodes[i].name,
                       are_alike ? "*" : view->script->nodes[j].name);
            add_link(link, text);
        }
    }
}

void hand_print_status(const struct hand_view *view, struct text *ret_text)
{
    static const char *const columns[] = {"node",   "state", "address", "process",
                                          "events", "part",  "clock"};
    static const size_t places[] = {2, 10, 21, 40, 49, 57, 63};
    uint64_t now_ms = view->stage->ops->now_ms(view->stage);
    size_t start;

    text_print(
        ret_text, "%u nodes on %s, up for %" PRIu64 ".%03" PRIu64 " s; written down in %s\n\n",
        view->script->node_count, view->stage->ops->name, now_ms / 1000, now_ms % 1000, view->path);
    start = ret_text->size;
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        text_pad(ret_text, start + places[i]);
        text_add(ret_text, columns[i]);
    }
    text_add(ret_text, "\n");
    for (unsigned i = 0; i < view->script->node_count; i++)
        add_node(view, i, ret_text);
    add_links(view, ret_text);
    if (view->waiting)
        text_print(ret_text, "\nwaits for what is expected: %s\n", view->waiting);
}

/* ---- For programs. ---- */

static void add_json_clock(const struct hand_view *view, unsigned node, struct text *text)
{
    const struct journal *journal = view->stage->journal;
    bool any = false;

    if (!journal->nodes[node].has_clock) {
        text_add(text, "null");
        return;
    }
    text_add(text, "{");
    for (uint32_t i = 0; i < journal->author_count; i++) {
        const struct journal_author *author = &journal->authors[i];
        uint64_t number = counts_get(&journal->nodes[node].clock, i);

        if (number == 0)
            continue;
        text_print(text, "%s\"%s", any ? "," : "", view->script->nodes[author->node].name);
        if (author->epoch > 1)
            text_print(text, "'%u", author->epoch);
        text_print(text, "\":%" PRIu64, number);
        any = true;
    }
    text_add(text, "}");
}

void hand_print_status_json(const struct hand_view *view, struct text *ret_text)
{
    const struct script *script = view->script;

    for (unsigned i = 0; i < script->node_count; i++) {
        const struct journal_node *seen = &view->stage->journal->nodes[i];
        struct stage_node place = {.directory = ""};
        bool any = false;

        if (view->stage->ops->locate)
            view->stage->ops->locate(view->stage, i, &place);
        text_print(ret_text, "{\"node\":\"%s\",\"state\":\"%s\",\"code\":", script->nodes[i].name,
                   state_of(view, i));
        text_print(ret_text, !seen->is_up && seen->has_run ? "%d" : "null", seen->code);
        text_print(ret_text, ",\"address\":\"%s\",\"dir\":\"", place.address);
        text_add_json(ret_text, place.directory, strlen(place.directory), SIZE_MAX);
        text_print(ret_text, "\",\"pid\":%ld,\"events\":%" PRIu64 ",\"part\":%u,\"cut_to\":[",
                   place.process, journal_count_shown(view->stage->journal, i),
                   play_part(view->play, i));
        for (unsigned j = 0; j < script->node_count; j++) {
            if (!play_is_cut(view->play, i, j))
                continue;
            text_print(ret_text, "%s\"%s\"", any ? "," : "", script->nodes[j].name);
            any = true;
        }
        text_add(ret_text, "],\"clock\":");
        add_json_clock(view, i, ret_text);
        text_add(ret_text, "}\n");
    }
}
