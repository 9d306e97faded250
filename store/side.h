/*
 * What stands beside a store's file: the side file, by which a store that was set back can be told,
 * and the marker, by which an event that ends the process can. Neither is part of any copy that a
 * backup makes.
 *
 *     0          8       16     24     32      40
 *    +----------+-------+------+------+-------+
 *    | gspside1 | epoch | mark | boot | check |          the side file
 *    +----------+-------+------+------+-------+
 *
 *     0          8      40        44      48       56
 *    +----------+------+---------+-------+-------+
 *    | gspmark1 | hash | crashes | zeros | check |       the marker
 *    +----------+------+---------+-------+-------+
 *
 * Integers are big-endian; check is the beginning of the BLAKE2b-256 of what is before it.
 */
#ifndef GOSSIP_STORE_SIDE_H
#define GOSSIP_STORE_SIDE_H

#include "gossip/store.h"
#include "store/files.h"

/* Reads the side file. NOT_FOUND, DAMAGED, PERMISSION, IO. */
int side_read(struct file_system *files, const char *path, struct gossip_side *ret_side,
              struct explanation *explanation);

/* Replaces it durably. PERMISSION, FULL, NOMEM, IO. */
int side_write(struct file_system *files, const char *path, const struct gossip_side *side,
               struct explanation *explanation);

/* Reads the marker; one that is missing or damaged is none. PERMISSION, IO. */
int marker_read(struct file_system *files, const char *path, struct gossip_marker *ret_marker,
                struct explanation *explanation);

/* Writes over it, without waiting for the disk. PERMISSION, FULL, IO. */
int marker_write(struct file_system *files, const char *path, const struct gossip_marker *marker,
                 struct explanation *explanation);

#endif
