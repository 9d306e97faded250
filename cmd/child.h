/*
 * Nodes as processes of this program, in a temporary directory: for `dev` and `lab`. Functions that
 * return an enum exit_code have complained where it is not EXIT_OK.
 */
#ifndef CMD_CHILD_H
#define CMD_CHILD_H

#include "cmd/exit.h"

#include <signal.h>
#include <sys/types.h>

enum { CHILD_PATH_SIZE = 4096 };

/* SIGINT, SIGTERM and SIGHUP, which end what has children, and SIGCHLD, which tells of one. Whoever
 * starts children has them blocked; the children do not. */
void child_signals(sigset_t *ret_signals);

/* Starts this program with other arguments, NULL at their end, its output in the file log. Out of
 * reach of the keys of the terminal; gets the signal death should this process be killed. -1 on
 * failure, with errno. */
pid_t child_start(const char *const *arguments, const char *log, int death);

/* The same, in the network namespace that space is a descriptor of; -1: that of this process. */
pid_t child_start_in(int space, const char *const *arguments, const char *log, int death);

/* Another program, found along PATH or else where systems keep those for their administrators. */
pid_t child_start_program(const char *program, const char *const *arguments, int space,
                          const char *log);

/* Waits until it has ended. Its exit code, as a shell tells it. */
int child_wait(pid_t pid);

/* What waitpid() has told, as a shell tells it. */
int child_code(int status);

/* Complains, with what stands in the file log. EXIT_NO. */
enum exit_code child_complain(const char *verb, const char *what, const char *log);

/* Makes the node called name in directory, of the cluster of the file at cluster; NULL: of a new
 * one. */
enum exit_code child_init(const char *verb, const char *directory, const char *name,
                          const char *cluster, const char *log);

/* Makes a directory of a new name that begins with prefix, where TMPDIR says. *ret_path is the
 * caller's, to be ended with child_remove_place(), which removes all that is in it. */
enum exit_code child_make_place(const char *verb, const char *prefix, char **ret_path);
enum exit_code child_remove_place(char *path);

#endif
