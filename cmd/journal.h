/*
 * The journal of systemd, where it reads what a service writes: a line may begin with its priority
 * there, as <3>, and would be spoilt by that anywhere else.
 */
#ifndef CMD_JOURNAL_H
#define CMD_JOURNAL_H

#include <stdbool.h>

/* Whether the journal reads what is written to descriptor. */
bool journal_reads(int descriptor);

#endif
