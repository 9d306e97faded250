/*
 * Scripts of experiments: what is read of one that fits, and what is said of one that does not, by
 * its line, what was found there and what was expected.
 */
#include "cmd/lab/room.h"
#include "cmd/lab/script.h"
#include "cmd/lab/script_check.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *text;
    size_t size;
    const char *error;
} bad[] = {
    {BYTES("nodes 3\nload 5/s until +0s\n"),
     "2: found 0s, expected until when, a time such as 500ms, 10s, 2m or 1h, at most 24h, and not "
     "0"},
    {BYTES("nodes 3\nat 23h load 5/h until +2h\n"),
     "2: found a script that may take longer, expected at most 24h"},
    {BYTES(""), "1: found the end of the file, expected nodes as the first statement"},
    {BYTES("\n\n# nothing\n"),
     "3: found the end of the file, expected nodes as the first statement"},
    {BYTES("at 1s publish n1\n"), "1: found at, expected nodes as the first statement"},
    {BYTES("frobnicate\n"),
     "1: found frobnicate, expected a statement: nodes, period, link, publish, load, partition, "
     "cut, heal, kill, stop, start, pause, resume, backup, restore, clone, skew, disk or expect"},
    {BYTES("nodes\n"), "1: found the end of the line, expected a name for a node: a letter, then "
                       "letters, digits and . _ -, at most 32, and no word of the language"},
    {BYTES("nodes 0\n"), "1: found 0, expected how many nodes, a number from 1 to 64"},
    {BYTES("nodes 65\n"), "1: found 65, expected how many nodes, a number from 1 to 64"},
    {BYTES("nodes 99999999999999999999\n"),
     "1: found 99999999999999999999, expected how many nodes, a number from 1 to 64"},
    {BYTES("nodes n1 n1\n"), "1: found n1, expected a name that no other node has"},
    {BYTES("nodes n1 n2,n3\n"),
     "1: found n2,n3, expected a name for a node: a letter, then letters, digits and . _ -, at "
     "most 32, and no word of the language"},
    {BYTES("nodes 1x\n"), "1: found 1x, expected how many nodes, a number from 1 to 64"},
    {BYTES("nodes kill\n"), "1: found kill, expected a name for a node: a letter, then letters, "
                            "digits and . _ -, at most 32, and no word of the language"},
    {BYTES("nodes n1 until\n"),
     "1: found until, expected a name for a node: a letter, then letters, digits and . _ -, at "
     "most 32, and no word of the language"},
    {BYTES("nodes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"),
     "1: found aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, expected a name for a node: a letter, then "
     "letters, digits and . _ -, at most 32, and no word of the language"},
    {BYTES("nodes 3 down n4\n"), "1: found n4, expected a node: n1 n2 n3"},
    {BYTES("nodes 3 down\n"), "1: found the end of the line, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\nnodes 3\n"), "2: found nodes again, expected it once, as the first statement"},
    {BYTES("period 1s\nkill n1\n"), "2: found kill, expected nodes as the first statement"},
    {BYTES("nodes 3\nperiod 1ms\n"),
     "2: found 1ms, expected the time between exchanges, a time from 10ms to 60000ms"},
    {BYTES("nodes 3\nperiod 2h\n"),
     "2: found 2h, expected the time between exchanges, a time from 10ms to 60000ms"},
    {BYTES("nodes 3\nkill n1\nperiod 1s\n"),
     "3: found period, expected it before all that happens"},
    {BYTES("nodes 3\nat 1s period 1s\n"), "2: found period at a time, expected it without one"},
    {BYTES("nodes 3\nKILL n1\n"),
     "2: found KILL, expected a statement: nodes, period, link, publish, load, partition, cut, "
     "heal, kill, stop, start, pause, resume, backup, restore, clone, skew, disk or expect"},
    {BYTES("nodes 3\nkill\n"), "2: found the end of the line, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\nkill n4\n"), "2: found n4, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\nkill n1 n1\n"), "2: found n1, expected each node once"},
    {BYTES("nodes 3\nkill n1, n2\n"), "2: found n1,, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\nkill n1\nkill n1\n"),
     "3: found n1, which does not run since line 2, expected one that runs or is paused"},
    {BYTES("nodes 3\nstart n1\n"),
     "2: found n1, which runs, expected one that does not run: stop or kill it first"},
    {BYTES("nodes 3\nresume n1\n"), "2: found n1, which runs, expected one that is paused"},
    {BYTES("nodes 3\nkill n2\n\nat 1s publish n2\n"),
     "4: found n2, which does not run since line 2, expected one that runs: start or resume it "
     "first"},
    {BYTES("nodes 3\nat 5s kill n1\nat 3s start n1\n"),
     "3: found at 3s, expected a time from 5s on, where the lines before may end"},
    {BYTES("nodes 3\nat -5s kill n1\n"),
     "2: found -5s, expected when, a time such as 500ms, 10s, 2m or 1h, at most 24h"},
    {BYTES("nodes 3\nat 5 s kill n1\n"),
     "2: found s, expected a statement: nodes, period, link, publish, load, partition, cut, heal, "
     "kill, stop, start, pause, resume, backup, restore, clone, skew, disk or expect"},
    {BYTES("nodes 3\nat 5d kill n1\n"),
     "2: found 5d, expected when, a time such as 500ms, 10s, 2m or 1h, at most 24h"},
    {BYTES("nodes 3\nat 1.5s kill n1\n"),
     "2: found 1.5s, expected when, a time such as 500ms, 10s, 2m or 1h, at most 24h"},
    {BYTES("nodes 3\nat 99999999999999999999s kill n1\n"),
     "2: found 99999999999999999999s, expected when, a time such as 500ms, 10s, 2m or 1h, at most "
     "24h"},
    {BYTES("nodes 3\nat 25h kill n1\n"),
     "2: found 25h, expected when, a time such as 500ms, 10s, 2m or 1h, at most 24h"},
    {BYTES("nodes 3\nat\n"), "2: found the end of the line, expected when, a time such as 500ms, "
                             "10s, 2m or 1h, at most 24h"},
    {BYTES("nodes 3\nat 5s\n"),
     "2: found a time and the end of the file, expected a statement for it"},
    {BYTES("nodes 3\nat 5s\nat 6s kill n1\n"),
     "3: found a second time, expected a statement for that of line 2"},
    {BYTES("nodes 3\nat 5s\n\nat 6s\n"),
     "4: found a second time, expected a statement for that of line 2"},
    {BYTES("nodes 3\nat 23h\nkill n1\nat +2h start n1\n"),
     "4: found a script that may take longer, expected at most 24h"},
    {BYTES("nodes 3\nevery 1s kill n1\n"), "2: found kill, expected until"},
    {BYTES("nodes 3\nevery 0s until 5s kill n1\n"),
     "2: found 0s, expected how often, a time such as 500ms, 10s, 2m or 1h, at most 24h, and not "
     "0"},
    {BYTES("nodes 3\nat 5s every 1s until 3s kill n1\n"),
     "2: found until 3s, expected a time from 5s on, where it begins"},
    {BYTES("nodes 3\nevery 1s until 5s expect converged\n"),
     "2: found every before expect, expected it once"},
    {BYTES("nodes 3\nevery 1s until 5s\n"),
     "2: found the end of the line, expected a statement: nodes, period, link, publish, load, "
     "partition, cut, heal, kill, stop, start, pause, resume, backup, restore, clone, skew, disk "
     "or expect"},
    {BYTES("nodes 3\nevery 1s until 5s nodes 3\n"),
     "2: found nodes again, expected it once, as the first statement"},
    {BYTES("nodes 3\nevery 1ms until 24h kill n1\n"),
     "2: found what happens 86400001 times, expected at most 100000"},
    {BYTES("nodes 3\npublish n1 hello\n"),
     "2: found hello, expected a text such as \"hello\", how many events, or a node"},
    {BYTES("nodes 3\npublish n1 \"hello\n"),
     "2: found the end of the line in a text, expected \" behind it"},
    {BYTES("nodes 3\npublish n1 \"a\\q\"\n"),
     "2: found a backslash in a text, expected one of \\\" \\\\ \\n \\t \\xNN"},
    {BYTES("nodes 3\npublish n1 0\n"),
     "2: found 0, expected how many events, a number from 1 to 100000"},
    {BYTES("nodes 3\npublish n1 100001\n"),
     "2: found 100001, expected how many events, a number from 1 to 100000"},
    {BYTES("nodes 3\npublish n1 60000\npublish n2 60000\n"),
     "3: found 120000 events up to here, expected at most 100000 in a script"},
    {BYTES("nodes 3\npublish n1 1 of 0B\n"),
     "2: found 0B, expected a size such as 100B or 4KiB, from 1 to 65536 bytes"},
    {BYTES("nodes 3\npublish n1 of 1GiB\n"),
     "2: found 1GiB, expected a size such as 100B or 4KiB, from 1 to 65536 bytes"},
    {BYTES("nodes 3\npublish n1 \"a\" \"b\"\n"), "2: found \"b\", expected the end of the line"},
    {BYTES("nodes 3\npublish\n"), "2: found the end of the line, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\nload 20 until 5s\n"),
     "2: found 20, expected how many events in a time, such as 20/s or 5/m, from 1 to 1000"},
    {BYTES("nodes 3\nload 0/s until 5s\n"),
     "2: found 0/s, expected how many events in a time, such as 20/s or 5/m, from 1 to 1000"},
    {BYTES("nodes 3\nload 20/s\n"), "2: found the end of the line, expected until"},
    {BYTES("nodes 3\nload 1001/s until 5s\n"),
     "2: found 1001/s, expected how many events in a time, such as 20/s or 5/m, from 1 to 1000"},
    {BYTES("nodes 3\nload 1000/s until 1h\n"),
     "2: found 3600001 events up to here, expected at most 100000 in a script"},
    {BYTES("nodes 3\nload 5/s on n9 until 5s\n"), "2: found n9, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\npartition n1 n2\n"),
     "2: found one part, expected two or more with | between them"},
    {BYTES("nodes 3\npartition n1 | n2\n"),
     "2: found no part for n3, expected every node in one: write * for all others"},
    {BYTES("nodes 3\npartition n1 n2 | n2 n3\n"),
     "2: found n2 in two parts, expected each node in one"},
    {BYTES("nodes 3\npartition * | n1\n"), "2: found n1 in two parts, expected each node in one"},
    {BYTES("nodes 3\npartition n1 | n2 n3 | *\n"),
     "2: found *, expected a part with a node in it: all are in another"},
    {BYTES("nodes 3\npartition | n1\n"), "2: found |, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\npartition n1 n2 | n3 |\n"),
     "2: found the end of the line, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\npartition n1 -> n2\n"), "2: found ->, expected a node, or |"},
    {BYTES("nodes 3\ncut n1\n"), "2: found the end of the line, expected -> or <->"},
    {BYTES("nodes 3\ncut n1 n2\n"), "2: found the end of the line, expected -> or <->"},
    {BYTES("nodes 3\ncut n1 -> n9\n"), "2: found n9, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\ncut n1 -> n2 n3 n4\n"), "2: found n4, expected the end of the line"},
    {BYTES("nodes 3\ncut n1 -->n2\n"), "2: found -, expected -> or <->"},
    {BYTES("nodes 3\nheal n1\n"), "2: found the end of the line, expected -> or <->"},
    {BYTES("nodes 3\nlink\n"), "2: found the end of the line, expected two sides such as * -> *, "
                               "or latency, jitter, loss or duplicate"},
    {BYTES("nodes 3\nlink loss 5\n"),
     "2: found 5, expected a share from 0% to 100%, such as 5% or 0.5%"},
    {BYTES("nodes 3\nlink loss 101%\n"),
     "2: found 101%, expected a share from 0% to 100%, such as 5% or 0.5%"},
    {BYTES("nodes 3\nlink loss -1%\n"),
     "2: found -1%, expected a share from 0% to 100%, such as 5% or 0.5%"},
    {BYTES("nodes 3\nlink loss 5% loss 6%\n"),
     "2: found loss, expected latency, jitter, loss or duplicate, each once"},
    {BYTES("nodes 3\nlink latency 2m\n"),
     "2: found 2m, expected latency, a time from 0ms to 60000ms"},
    {BYTES("nodes 3\nlink speed 5\n"), "2: found speed, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\nlink n1 -> n2\n"),
     "2: found the end of the line, expected latency, jitter, loss or duplicate, each once"},
    {BYTES("nodes 3\nlink n1 latency 5ms\n"), "2: found latency, expected another node, -> or <->"},
    {BYTES("nodes 3\nbackup n1\n"),
     "2: found n1, which runs, expected one that does not run: stop or kill it first"},
    {BYTES("nodes 3\nstop n1\nrestore n1\n"),
     "3: found n1, of which there is no backup, expected one that a line before backs up"},
    {BYTES("nodes 3\nstop n1\nclone n1\n"), "3: found the end of the line, expected as"},
    {BYTES("nodes 3\nstop n1\nclone n1 as n2\n"),
     "3: found n2, expected a name that no other node has"},
    {BYTES("nodes 3\nclone n1 as n4\n"),
     "2: found n1, which runs, expected one that does not run: stop or kill it first"},
    {BYTES("nodes 3\nstop n1\nbackup n1\nrestore n1 disk\n"),
     "4: found disk, expected the end of the line"},
    {BYTES("nodes 3\nskew n1\n"),
     "2: found the end of the line, expected another node, or how far its clock is off, a time "
     "such as 500ms, 10s, 2m or 1h, at most 24h"},
    {BYTES("nodes 3\nskew n1 --5s\n"), "2: found -5s, expected another node, or how far its clock "
                                       "is off, a time such as 500ms, 10s, 2m or 1h, at most 24h"},
    {BYTES("nodes 3\ndisk n1\n"),
     "2: found the end of the line, expected another node, or full, slow, fail or ok"},
    {BYTES("nodes 3\ndisk n1 broken\n"),
     "2: found broken, expected another node, or full, slow, fail or ok"},
    {BYTES("nodes 3\ndisk n1 slow\n"),
     "2: found the end of the line, expected how long a sync takes, a time from 1ms to 60000ms"},
    {BYTES("nodes 3\ndisk n1 fail rename\n"), "2: found rename, expected the end of the line"},
    {BYTES("nodes 3\nexpect\n"),
     "2: found the end of the line, expected converged, no-loss, no-duplicates, causal, monotonic, "
     "clock, relation, events, deliveries, concurrent or exit"},
    {BYTES("nodes 3\nexpect happiness\n"),
     "2: found happiness, expected converged, no-loss, no-duplicates, causal, monotonic, clock, "
     "relation, events, deliveries, concurrent or exit"},
    {BYTES("nodes 3\nexpect converged in 5s\n"),
     "2: found in, expected within, a node, or the end of the line"},
    {BYTES("nodes 3\nexpect converged within\n"),
     "2: found the end of the line, expected within how long, a time such as 500ms, 10s, 2m or 1h, "
     "at most 24h, and not 0"},
    {BYTES("nodes 3\nexpect causal within 5s\n"),
     "2: found within, expected the end of the line: what was seen once does not go away"},
    {BYTES("nodes 3\nexpect clock n1\n"),
     "2: found the end of the line, expected a clock such as {n1:1}"},
    {BYTES("nodes 3\nexpect clock n1 {n1:1\n"),
     "2: found the end of the line in a clock, expected } behind it"},
    {BYTES("nodes 3\nexpect clock n1 {n9:1}\n"),
     "2: found n9:1, expected in a clock a node and how many of its events, such as n1:1"},
    {BYTES("nodes 3\nexpect clock n1 {n1}\n"),
     "2: found n1, expected in a clock a node and how many of its events, such as n1:1"},
    {BYTES("nodes 3\nexpect clock n1 {n1:1 n1:2}\n"),
     "2: found n1:2, expected each node once in a clock"},
    {BYTES("nodes 3\nexpect clock n1 {n1:1,,n2=1}\n"),
     "2: found n2=1, expected in a clock a node and how many of its events, such as n1:1"},
    {BYTES("nodes 3\nexpect clock n1 n1:1}\n"), "2: found }, expected a clock to begin with {"},
    {BYTES("nodes 3\nexpect relation n1:1 n2:1\n"),
     "2: found the end of the line, expected before, after, equal or concurrent"},
    {BYTES("nodes 3\nexpect relation n1:1 n2 before\n"),
     "2: found n2, expected an event such as n1:1, or n1'2:1 of its second epoch"},
    {BYTES("nodes 3\nexpect relation n1:0 n2:1 before\n"),
     "2: found n1:0, expected an event such as n1:1, or n1'2:1 of its second epoch"},
    {BYTES("nodes 3\nexpect relation n1:1 n2:1 beside\n"),
     "2: found beside, expected before, after, equal or concurrent"},
    {BYTES("nodes 3\nexpect relation n1'0:1 n2:1 before\n"),
     "2: found n1'0:1, expected an event such as n1:1, or n1'2:1 of its second epoch"},
    {BYTES("nodes 3\nexpect events n1\n"), "2: found the end of the line, expected another node, "
                                           ">=, <= or how many, a number from 0 to 1000000000"},
    {BYTES("nodes 3\nexpect events n1 > 3\n"),
     "2: found >, expected another node, >=, <= or how many, a number from 0 to 1000000000"},
    {BYTES("nodes 3\nexpect deliveries 3\n"), "2: found 3, expected a node: n1 n2 n3"},
    {BYTES("nodes 3\nexpect concurrent many\n"),
     "2: found many, expected >=, <= or how many pairs, a number from 0 to 1000000000"},
    {BYTES("nodes 3\nexpect exit n1 256\n"),
     "2: found 256, expected another node, or an exit code, a number from 0 to 255"},
    {BYTES("nodes 3\nexpect no-loss n7\n"),
     "2: found n7, expected within, a node, or the end of the line"},
    {BYTES("nodes 3\nat 1s expect converged within 10s\nat 5s kill n1\n"),
     "3: found at 5s, expected a time from 11s on, where the lines before may end"},
    {BYTES("nodes 3\nexpect converged within 25h\n"),
     "2: found 25h, expected within how long, a time such as 500ms, 10s, 2m or 1h, at most 24h, "
     "and not 0"},
    {BYTES("nodes 3\nkill n1 # not any more\nkill n1\n"),
     "3: found n1, which does not run since line 2, expected one that runs or is paused"},
    {BYTES("nodes 3\n\000\n"), "2: found the byte 0x00, expected text"},
    {BYTES("nodes 3\nkill n1\000\n"), "2: found the byte 0x00, expected text"},
    {BYTES("nodes 3\nkill \033[31mn1\n"), "2: found the byte 0x1b, expected text"},
    {BYTES("nodes 3\npublish n1 \"\377\"\n"), "2: found bytes that are not UTF-8, expected text"},
    {BYTES("\177ELF\002\001\001\n"), "1: found the byte 0x02, expected text"},
    {BYTES("\357\273\277nodes 3\n"),
     "1: found \\xef\\xbb\\xbfnodes, expected a statement: nodes, period, link, publish, load, "
     "partition, cut, heal, kill, stop, start, pause, resume, backup, restore, clone, skew, disk "
     "or expect"},
    {BYTES("nodes 3\nkill n1\015\015\n"), "2: found the byte 0x0d, expected text"},
    {BYTES("nodes 3\nkill n1 \303\251\n"), "2: found \\xc3\\xa9, expected the end of the line"},
    {BYTES("{ \"nodes\": 3 }\n"), "1: found { \"nodes\": 3 }, expected a statement: nodes, period, "
                                  "link, publish, load, partition, cut, heal, kill, stop, start, "
                                  "pause, resume, backup, restore, clone, skew, disk or expect"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char error[SCRIPT_ERROR_MAX] = "";
        char expected[SCRIPT_ERROR_MAX];
        struct script script;

        snprintf(expected, sizeof(expected), "x.lab:%s", bad[i].error);
        if (script_read(&script, "x.lab", bad[i].text, bad[i].size, error))
            fail_msg("script %zu was taken: %s", i, bad[i].text);
        assert_string_equal(error, expected);
        script_clear(&script);
    }
}

static void refuse(const char *text, size_t size, const char *expected)
{
    char error[SCRIPT_ERROR_MAX] = "";
    struct script script;

    assert_false(script_read(&script, "x.lab", text, size, error));
    assert_string_equal(error, expected);
    script_clear(&script);
}

/* What is too long is refused before anybody looks at it. */
static void test_too_long(void **state)
{
    const size_t size = SCRIPT_SIZE_MAX + 1;
    char *text = room_new(size);
    size_t used;

    (void)state;
    memset(text, ' ', size);
    refuse(text, size, "x.lab:1: found a file of 1048577 bytes, expected at most 1048576");
    refuse(text, 5000, "x.lab:1: found a line of 5000 bytes, expected at most 4096");
    used = (size_t)sprintf(text, "nodes 3\nkill");
    for (unsigned i = 0; i < 600; i++)
        used += (size_t)sprintf(text + used, " n1");
    refuse(text, used, "x.lab:2: found more than 512 words, expected the end of the line");
    used = (size_t)sprintf(text, "nodes 3\n");
    for (unsigned i = 0; i < 10000; i++)
        used += (size_t)sprintf(text + used, "heal\n");
    refuse(text, used, "x.lab:10001: found one statement more than 10000, expected no more");
    free(text);
}

/* However a script is cut off or mangled, it is read or refused with its name and a line. */
static void test_cut_off(void **state)
{
    static const char whole[] = "nodes a b c down c\nperiod 500ms\nlink a -> * loss 5%\n"
                                "at 1s every 2s until 9s publish a b \"x\\x41\" # no\n"
                                "at 10s\npartition a | *\nload 5/s of 1KiB on * until 20s\n"
                                "expect clock a {a:1 b'2:3} within 5s\nat 30s skew a -5s\n";

    (void)state;
    for (size_t i = 0; i < sizeof(whole); i++) {
        for (unsigned byte = 0; byte < 256; byte += i % 7 == 0 ? 1 : 51) {
            char error[SCRIPT_ERROR_MAX] = "";
            char text[sizeof(whole)];
            struct script script;
            unsigned line;
            size_t size = byte == 0 ? i : sizeof(whole) - 1;

            memcpy(text, whole, sizeof(whole));
            if (i < sizeof(whole) - 1 && byte > 0)
                text[i] = (char)byte;
            if (!script_read(&script, "x.lab", text, size, error))
                assert_int_equal(sscanf(error, "x.lab:%u: found ", &line), 1);
            script_clear(&script);
        }
    }
}

static void read_good(const char *text, struct script *ret_script)
{
    char error[SCRIPT_ERROR_MAX] = "";

    if (!script_read(ret_script, "x.lab", text, strlen(text), error))
        fail_msg("%s", error);
}

static void test_nodes(void **state)
{
    struct script script;
    char names[64];

    (void)state;
    read_good("# first a word\n\nnodes 3 down n2 # then nodes\n", &script);
    assert_int_equal(script.node_count, 3);
    assert_string_equal(script.nodes[2].name, "n3");
    assert_true(script.nodes[1].is_down);
    assert_false(script.nodes[0].is_down);
    assert_int_equal(script.statements[0].line, 3);
    assert_int_equal(script.period_ms, 1000);
    script_clear(&script);
    read_good("nodes cart inventory-2 x.y_z\nperiod 50ms\nstop cart\nclone cart as cart-2\n",
              &script);
    script_names(&script, 0x9, names, sizeof(names));
    assert_string_equal(names, "cart cart-2");
    assert_true(script.nodes[3].is_copy);
    assert_int_equal(script.period_ms, 50);
    script_clear(&script);
}

static void test_times(void **state)
{
    struct script script;
    const struct statement *statements;

    (void)state;
    read_good("nodes 3\n"
              "at 1s every 500ms until 2m kill *\n"
              "at +1h expect converged within 10\n"
              "at 2h\n"
              "  heal\n"
              "expect causal\n",
              &script);
    statements = script.statements;
    assert_int_equal(script.count, 5);
    assert_true(statements[1].is_at && !statements[1].is_relative);
    assert_int_equal(statements[1].at_ms, 1000);
    assert_int_equal(statements[1].every_ms, 500);
    assert_int_equal(statements[1].until_ms, 120000);
    assert_true(statements[2].is_relative);
    assert_int_equal(statements[2].at_ms, 3600000);
    assert_int_equal(statements[2].within_ms, 10000);
    assert_int_equal(statements[3].line, 5);
    assert_int_equal(statements[3].at_ms, 7200000);
    assert_false(statements[4].is_at);
    assert_int_equal(script.end_ms, 7200000);
    script_clear(&script);
    /* So long, from wherever in time it begins: after a wait, nobody knows. */
    read_good("nodes 3\n"
              "at 1s every 500ms until +2s publish n1\n"
              "expect converged within 1m\n"
              "load 5/s until +10s\n",
              &script);
    statements = script.statements;
    assert_true(statements[1].is_lasting && statements[3].is_lasting);
    assert_int_equal(statements[1].until_ms, 2000);
    assert_int_equal(statements[3].until_ms, 10000);
    assert_int_equal(script.end_ms, 71000);
    script_clear(&script);
}

static void add_bad(struct script *script, const char *line, const char *expected)
{
    char error[SCRIPT_ERROR_MAX] = "";
    char *text = strdup(script->text);
    size_t count = script->count;
    unsigned node_count = script->node_count;
    uint64_t end_ms = script->end_ms;

    assert_non_null(text);
    assert_false(script_add(script, line, error));
    assert_string_equal(error, expected);
    assert_string_equal(script->text, text);
    assert_int_equal(script->size, strlen(text));
    assert_int_equal(script->count, count);
    assert_int_equal(script->node_count, node_count);
    assert_int_equal(script->end_ms, end_ms);
    free(text);
}

static void add_good(struct script *script, const char *line)
{
    char error[SCRIPT_ERROR_MAX] = "";

    if (!script_add(script, line, error))
        fail_msg("%s", error);
}

/* Line by line, a script is the same as all at once; a line that does not fit leaves it as it was.
 */
static void test_line_by_line(void **state)
{
    char error[SCRIPT_ERROR_MAX] = "";
    struct script script;
    struct script again;
    char words[64];

    (void)state;
    read_good("# by hand\nnodes 2\n", &script);
    add_good(&script, "at +1s stop n2  # 1.000 s");
    add_bad(&script, "at +1s kill n2",
            "x.lab:4: found n2, which does not run since line 3, expected one that runs or is "
            "paused");
    script.by_hand = true;
    add_bad(&script, "at +1s kill n2",
            "found n2, which does not run since line 3, expected one that runs or is paused");
    add_bad(&script, "at +1s kill n9", "found n9, expected a node: n1 n2");
    add_bad(&script, "at +1s period 2s", "found period at a time, expected it without one");
    add_bad(&script, "at +1s clone n2 as n3 n4", "found n4, expected the end of the line");
    add_bad(&script, "at +1s expect converged within 24h",
            "found a script that may take longer, expected at most 24h");
    add_bad(&script, "at +1s", "found no statement, expected one");
    add_bad(&script, "", "found no statement, expected one");
    add_bad(&script, "kill n1\nkill n1", "found the byte 0x0a, expected text");
    add_bad(&script, "publish n1 \"", "found the end of the line in a text, expected \" behind it");
    assert_false(script_check_place(&script, "there", 0, error));
    assert_string_equal(error, "found nodes, which needs processes, expected what --on there can "
                               "do");
    add_good(&script, "at +1s clone n2 as n3");
    script_take_back(&script);
    assert_int_equal(script.node_count, 2);
    add_good(&script, "at +1s clone n2 as n3");
    add_good(&script, "at +1s start n3");
    add_good(&script, "at +1s expect converged within 1m");
    assert_int_equal(script.end_ms, 64000);
    script_take_back(&script);
    add_good(&script, "at +1s publish n1 \"a\"");
    assert_string_equal(script.text, "# by hand\nnodes 2\nat +1s stop n2  # 1.000 s\n"
                                     "at +1s clone n2 as n3\nat +1s start n3\n"
                                     "at +1s publish n1 \"a\"\n");
    assert_int_equal(script.statements[4].line, 6);
    script_words(&script, &script.statements[4], words, sizeof(words));
    assert_string_equal(words, "publish n1 \"a\"");
    read_good(script.text, &again);
    assert_int_equal(again.count, script.count);
    assert_int_equal(again.node_count, script.node_count);
    assert_int_equal(again.end_ms, script.end_ms);
    script_clear(&again);
    script_clear(&script);
}

static void test_what(void **state)
{
    struct script script;
    const struct statement *at;

    (void)state;
    read_good("nodes 3\n"
              "link * -> n2 latency 20ms jitter 1s loss 0.25% duplicate 100%\n"
              "publish n1 \"a # \\\"b\\\" \\x7a\\n\"# text\n"
              "publish n1 n3 7 of 4KiB\n"
              "load 90/m of 10B on n1 until 5s\n"
              "cut n1 n2<->n3\n"
              "skew n1 -300ms\n"
              "disk n2 full 4KiB\n"
              "expect clock n2'3:4 {n1:2, n3'2:5}\n"
              "expect deliveries n1 n2 >= 12\n"
              "expect relation n1:1 n2:2 concurrent within 5s\n"
              "partition n2 | *\n",
              &script);
    at = &script.statements[1];
    assert_int_equal(at->kind, STATEMENT_LINK);
    assert_int_equal(at->nodes, 7);
    assert_int_equal(at->others, 2);
    assert_int_equal(at->link.latency_ms, 20);
    assert_int_equal(at->link.jitter_ms, 1000);
    assert_int_equal(at->link.loss_ppm, 2500);
    assert_int_equal(at->link.duplicate_ppm, 1000000);
    at++;
    assert_int_equal(at->size, 10);
    assert_string_equal(at->text, "a # \"b\" z\n");
    at++;
    assert_int_equal(at->nodes, 5);
    assert_int_equal(at->number, 7);
    assert_int_equal(at->size, 4096);
    at++;
    assert_int_equal(at->number, 90);
    assert_int_equal(at->time_ms, 60000);
    assert_int_equal(at->nodes, 1);
    at++;
    assert_true(at->is_both_ways);
    assert_int_equal(at->nodes, 3);
    assert_int_equal(at->others, 4);
    at++;
    assert_true(at->is_negative);
    assert_int_equal(at->time_ms, 300);
    at++;
    assert_int_equal(at->disk, DISK_FULL);
    assert_int_equal(at->size, 4096);
    at++;
    assert_int_equal(at->dots[0].node, 1);
    assert_int_equal(at->dots[0].epoch, 3);
    assert_int_equal(at->dots[0].seq, 4);
    assert_int_equal(at->clock_count, 2);
    assert_int_equal(at->clock[1].epoch, 2);
    assert_int_equal(at->clock[1].seq, 5);
    at++;
    assert_int_equal(at->comparison, COMPARE_AT_LEAST);
    assert_int_equal(at->number, 12);
    at++;
    assert_int_equal(at->relation, RELATION_CONCURRENT);
    assert_true(at->is_within);
    at++;
    assert_int_equal(at->part_count, 2);
    assert_int_equal(at->parts[0], 2);
    assert_int_equal(at->parts[1], 5);
    script_clear(&script);
}

/* A statement as it is shown: without its time and its comment, but with # in a text. */
static void test_words(void **state)
{
    struct script script;
    char line[64];

    (void)state;
    read_good("nodes 2\r\n\tat 5s  publish n1 \"a#b\"   # c\r\nat 6s\n  heal", &script);
    script_words(&script, &script.statements[1], line, sizeof(line));
    assert_string_equal(line, "publish n1 \"a#b\"");
    script_words(&script, &script.statements[2], line, sizeof(line));
    assert_string_equal(line, "heal");
    script_line(&script, 2, line, sizeof(line));
    assert_string_equal(line, "at 5s  publish n1 \"a#b\"");
    script_clear(&script);
}

/* What a place cannot do is said before anything starts there. */
static void test_places(void **state)
{
    static const struct {
        const char *line;
        enum ability ability;
    } cases[] = {
        {"kill n1", ABILITY_PROCESSES},  {"expect converged", ABILITY_PROCESSES},
        {"link loss 5%", ABILITY_LINKS}, {"partition n1 | n2", ABILITY_LINKS},
        {"skew n1 5s", ABILITY_CLOCKS},  {"disk n1 slow 5ms", ABILITY_DISKS},
        {"disk n1 ok", ABILITY_DISKS},
    };
    struct script script;
    char error[SCRIPT_ERROR_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned all = (1U << ABILITIES) - 1;
        char text[64];

        snprintf(text, sizeof(text), "nodes 2\n\n%s\n", cases[i].line);
        read_good(text, &script);
        assert_true(script_check_place(&script, "here", all, error));
        assert_false(script_check_place(&script, "here", all & ~(1U << cases[i].ability), error));
        if (cases[i].ability != ABILITY_PROCESSES)
            assert_non_null(strstr(error, "x.lab:3: found "));
        script_clear(&script);
    }
    read_good("nodes 2\nstop n1\nbackup n1\nrestore n1 machine\n", &script);
    assert_false(script_check_place(&script, "there", ~(1U << ABILITY_MACHINE), error));
    assert_string_equal(error, "x.lab:4: found restore, which needs machines set back as a whole, "
                               "expected what --on there can do: play it with --on sim");
    script_clear(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),          cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_cut_off),      cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_times),        cmocka_unit_test(test_what),
        cmocka_unit_test(test_words),        cmocka_unit_test(test_places),
        cmocka_unit_test(test_line_by_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
