#include "cmd/problems.h"

#include <inttypes.h>

#include "cmd/json.h"
#include "cmd/plain.h"

struct judged {
    struct gossip_stats stats;
    struct gossip_start start;
    size_t peers;
    size_t alive;
    size_t in_step;
    bool is_evicted;
};

static void judge(const struct view *view, struct judged *ret_judged)
{
    struct judged judged = {0};
    struct gossip_author self;
    struct gossip_peer peer;

    gossip_stats(view->gossip, &judged.stats);
    gossip_start_state(view->gossip, &judged.start);
    for (size_t i = 0; i < gossip_peer_count(view->gossip); i++) {
        if (gossip_peer(view->gossip, i, &peer) < 0)
            continue;
        judged.peers++;
        judged.alive += peer.state == GOSSIP_PEER_ALIVE;
        judged.in_step += peer.state == GOSSIP_PEER_ALIVE && peer.in_step;
    }
    judged.is_evicted =
        gossip_author(view->gossip, gossip_self(view->gossip), &self) == GOSSIP_OK &&
        self.cut != 0 && !self.is_forked;
    *ret_judged = judged;
}

static bool is_read_only(const struct judged *judged)
{
    return judged->stats.read_only;
}

static bool is_waiting(const struct judged *judged)
{
    return judged->start.state != GOSSIP_START_READY;
}

static bool is_set_back(const struct judged *judged)
{
    return judged->start.evidence != 0;
}

static bool is_evicted(const struct judged *judged)
{
    return judged->is_evicted;
}

static bool is_alone(const struct judged *judged)
{
    return judged->peers > 0 && judged->alive == 0;
}

/* What is held back is on its way, as long as somebody who answers may have what it waits for. */
static bool is_held(const struct judged *judged)
{
    return judged->stats.held_events > 0 && judged->in_step == judged->alive;
}

static bool is_poisonous(const struct judged *judged)
{
    return judged->stats.poisonous > 0;
}

static const struct {
    const char *word;
    const char *sentence;
    bool (*is_there)(const struct judged *judged);
} problems[PROBLEMS] = {
    {"read-only", "the disk is full, and no event is written; free some space", is_read_only},
    {"waiting",
     "events are not written yet, since other nodes are asked what they hold of this one",
     is_waiting},
    {"set-back", "the store was set back; the next event opens a new epoch", is_set_back},
    {"evicted", "the cluster has evicted this node; ask whoever looks after the cluster",
     is_evicted},
    {"alone", "other nodes are known, and none of them answers; look at `gossip peers`", is_alone},
    {"held", "events wait for others that no node which answers has; look at `gossip status`",
     is_held},
    {"poisonous", "events that have ended the process are passed over; look at its log",
     is_poisonous},
};

void problems_plain(const struct view *view, struct text *ret_text)
{
    struct judged judged;

    judge(view, &judged);
    for (size_t i = 0; i < PROBLEMS; i++)
        if (problems[i].is_there(&judged))
            text_print(ret_text, "%s: %s\n", problems[i].word, problems[i].sentence);
}

void problems_json(const struct view *view, struct text *ret_text)
{
    const char *words[PROBLEMS];
    struct judged judged;
    size_t count = 0;

    judge(view, &judged);
    for (size_t i = 0; i < PROBLEMS; i++)
        if (problems[i].is_there(&judged))
            words[count++] = problems[i].word;
    json_problems(words, count, ret_text);
}

void problems_look(const struct view *view, struct problem ret_problems[PROBLEMS])
{
    struct judged judged;

    judge(view, &judged);
    for (size_t i = 0; i < PROBLEMS; i++)
        ret_problems[i] = (struct problem){problems[i].word, problems[i].is_there(&judged)};
}
