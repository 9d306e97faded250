/*
 * A store's database as SQLite has it open: the connection and its settings, the log and its
 * checkpoints, and what it means when SQLite fails.
 */
#ifndef GOSSIP_STORE_SQLITE_DATABASE_H
#define GOSSIP_STORE_SQLITE_DATABASE_H

#include "gossip/store.h"
#include "store/explanation.h"
#include "store/files.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;

/* What was being done when SQLite failed: the same code means different things. */
enum sqlite_phase {
    PHASE_OPENING,
    PHASE_READING,
    PHASE_SAVING,
    PHASE_COMMITTING,
    PHASE_CHECKPOINTING,
};

struct sqlite_database {
    struct file_system *files;
    char *path;
    struct sqlite3 *db;        /* NULL: not connected. */
    uint64_t wal_pages;        /* In the log after the last commit ... */
    uint64_t checkpoint_at;    /* ... and how many there must be for the next checkpoint. */
    uint64_t checkpoint_pages; /* How many there may be as a rule. */
    int failure;  /* What every later save returns, because the file is not to be trusted;
                   * GOSSIP_OK: none. */
    bool busy;    /* A visit is under way. */
    bool had_log; /* When it was opened. */
    struct explanation explanation;
};

/* Begins without a path and a connection. NOMEM. */
int sqlite_database_begin(struct sqlite_database *database, struct file_system *files);

/* Opens path, which is the database's file or what will be, with all settings. LOCKED, PERMISSION,
 * FOREIGN, DAMAGED, NOMEM, IO; then, too, the connection is to be closed. */
int sqlite_database_connect(struct sqlite_database *database, const char *path);

/* Sees to it that commits are written to a log, and counts its pages from then on. */
int sqlite_database_use_log(struct sqlite_database *database);
void sqlite_database_count_log(struct sqlite_database *database);

/* Copies the log into the database when it has grown long. That it cannot for want of room or
 * memory does no harm but that the log grows on; it is tried again when it has grown as much. */
int sqlite_database_checkpoint(struct sqlite_database *database);

/* Three ways to close the connection, if there is one; no statement may be left. As it is; when it
 * could not be opened in full; when it was in use. */
void sqlite_database_disconnect(struct sqlite_database *database);
void sqlite_database_abandon(struct sqlite_database *database);
void sqlite_database_close(struct sqlite_database *database);

/* Runs sql and shows the first column of its first row as text; empty if there is none. */
int sqlite_database_ask(struct sqlite_database *database, const char *sql, char *ret_answer,
                        size_t size);

/* As gossip_sqlite_check(). */
int sqlite_database_check(struct sqlite_database *database, gossip_sqlite_report *report,
                          void *context);

/* How many rows were inserted, changed or deleted by this connection. */
uint64_t sqlite_database_total_changes(struct sqlite_database *database);

/* The enum gossip_error that SQLite's code means; system_error is an errno, where there is one. */
int sqlite_classify(enum sqlite_phase phase, int code, int system_error);

/* What is to be done next after an error of the database. */
const char *sqlite_advice(enum sqlite_phase phase, int error);

/* Explains what SQLite's code means for the database, and notes whether anything may be written
 * after it. Returns the enum gossip_error. */
int sqlite_database_failed(struct sqlite_database *database, enum sqlite_phase phase, int code);

#endif
