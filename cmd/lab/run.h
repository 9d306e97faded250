/*
 * Runs of scripts, from what a person asks for to what he is shown and what stands in files.
 * Functions that return an enum exit_code have complained where it is neither EXIT_OK nor EXIT_NO
 * of a check that failed.
 */
#ifndef GOSSIP_LAB_RUN_H
#define GOSSIP_LAB_RUN_H

#include "cmd/exit.h"
#include "cmd/lab/figures.h"
#include "cmd/lab/journal.h"
#include "cmd/lab/play.h"
#include "cmd/lab/report.h"
#include "cmd/lab/results.h"
#include "cmd/lab/script.h"
#include "cmd/lab/stage.h"
#include "cmd/text.h"

/* What is asked for. */
struct run_wish {
    const struct stage_place *place;
    const char *out;  /* Where directories of results are made. */
    const char *name; /* Of the script, as it was typed. */
    uint64_t seed;    /* The first, */
    uint64_t last;    /* and the last. */
    bool is_shrinking;
    bool is_json;
};

struct run {
    struct journal journal;
    struct outcome outcome;
    struct figures figures;
    char repeat[512]; /* The command that does it again. */
    struct report report;
    struct text logs[SCRIPT_NODES_MAX]; /* Of its nodes; empty where there are none. */
};

/* ---- Scripts (load.c). ---- */

/* NULL: no script of this name comes with the command. */
const struct ready_script *ready_find(const char *name);

/* Reads and checks the script that is asked for, a file or one that comes with the command; a fault
 * in it is a line like a compiler's. script is to be cleared in either case. */
enum exit_code run_load(const struct run_wish *wish, struct script *ret_script);

/* ---- One run (run.c). ---- */

/* What is played in between is in run's journal and outcome. run_close() ends the stage, and this
 * process where a signal has told the stage to end. */
void run_open(struct run *run, const struct script *script);
void run_close(const struct run_wish *wish, const struct script *script, uint64_t seed,
               struct stage *stage, struct run *run);
void run_clear(struct run *run);

/* Both, and the script in between. False, after a complaint, where there can be no stage; run is to
 * be cleared in either case. */
bool run_play(const struct run_wish *wish, const struct script *script, uint64_t seed,
              struct run *ret_run);

/* Writes the results of run, unless NULL, and of many seeds, unless NULL, to a new directory. No
 * signal ends it half-way. */
enum exit_code run_write(const struct run_wish *wish, const struct script *script, struct run *run,
                         struct text *seeds, struct results *ret_results);

/* Writes those files that are made when a run is over to a directory that is there. */
enum exit_code run_write_files(const struct run_wish *wish, const struct script *script,
                               struct run *run, const struct results *results);

/* Leaves out what is not needed for the failure of run, and shows what is left. */
enum exit_code run_shrink(const struct run_wish *wish, const struct run *run);
void run_end_progress(void);

/* Plays it, and shows what came of it. */
enum exit_code run_once(const struct run_wish *wish, const struct script *script);

/* With every seed (run_many.c). */
enum exit_code run_many(const struct run_wish *wish, const struct script *script);

/* ---- What they share. ---- */

/* Writes text to standard output, and clears it. */
enum exit_code run_show(struct text *text);

/* The words that a shell takes for this one. */
void run_quote(const char *word, char *ret_text, size_t size);

/* As if nothing had caught the signal, now that all is cleared away. */
void run_end_by(int signal);

#endif
