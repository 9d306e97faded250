/*
 * Reads one HTTP/1.1 response (RFC 9112), as strictly as our own server writes it: a body with
 * either Content-Length or chunks, no other framing, no folded header, no trailer.
 */
#ifndef CMD_HTTP_READER_H
#define CMD_HTTP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All negative, so that a call may return a count instead. */
enum http_error {
    HTTP_OK = 0,
    HTTP_ERR_CUT = -1,       /* It ended before it was complete. */
    HTTP_ERR_MALFORMED = -2, /* It is not a response as we know it. */
    HTTP_ERR_READ = -3,      /* The source has failed. */
};

/* As read(2): how many bytes, 0 at the end, -1 on failure. */
typedef ssize_t http_source(void *context, void *buffer, size_t capacity);

struct http_reader {
    http_source *source;
    void *context;
    char buffer[8192]; /* Start line and headers must fit. */
    size_t size;
    size_t offset;
    bool chunked;
    bool ended;
    bool begun;    /* A chunk has been read. */
    uint64_t left; /* Of the body, or of the present chunk. */
};

enum { HTTP_NOTICE_SIZE = 768 };

struct http_head {
    int status;                    /* 200 to 599. */
    int exit_code;                 /* Of the header Gossip-Exit; -1 without. */
    char notice[HTTP_NOTICE_SIZE]; /* Of the header Gossip-Notice; empty without. */
};

void http_reader_start(struct http_reader *reader, http_source *source, void *context);

/* Reads up to the body. CUT, MALFORMED, READ. */
int http_reader_head(struct http_reader *reader, struct http_head *ret_head);

/* Reads the next bytes of the body: how many, 0 when it is complete. CUT, MALFORMED, READ. */
int http_reader_body(struct http_reader *reader, void *buffer, size_t capacity);

#endif
