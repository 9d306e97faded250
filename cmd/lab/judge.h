/*
 * Expectations, judged from the journal of a run alone, wherever it was played.
 */
#ifndef GOSSIP_LAB_JUDGE_H
#define GOSSIP_LAB_JUDGE_H

#include "cmd/lab/journal.h"
#include "cmd/lab/script.h"
#include "cmd/text.h"

/* Whether what statement expects holds now. Where it does not, ret_witness is added to: lines for a
 * person, of what was seen where. */
bool judge(const struct journal *journal, const struct script *script,
           const struct statement *statement, struct text *ret_witness);

/* Whether no node has ended by itself, but those whose end the script expects, or whose disk it had
 * made fail. */
bool judge_ends(const struct journal *journal, const struct script *script,
                struct text *ret_witness);

#endif
