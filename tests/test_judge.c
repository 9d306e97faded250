/*
 * What is judged of a run: journals of runs that went well and of runs that did not, made by hand.
 */
#include "cmd/lab/figures.h"
#include "cmd/lab/journal.h"
#include "cmd/lab/judge.h"
#include "cmd/lab/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { NODES = 3 };

struct tale {
    struct script script;
    struct journal journal;
};

/* Three nodes that run; expectation is line 2. */
static void begin(struct tale *tale, const char *expectation)
{
    char text[512];
    char error[SCRIPT_ERROR_MAX] = "";

    snprintf(text, sizeof(text), "nodes 3\n%s\n", expectation);
    if (!script_read(&tale->script, "x.lab", text, strlen(text), error))
        fail_msg("%s", error);
    journal_start(&tale->journal, tale->script.node_count);
    for (unsigned i = 0; i < NODES; i++)
        journal_started(&tale->journal, 0, i);
}

static void end(struct tale *tale)
{
    journal_clear(&tale->journal);
    script_clear(&tale->script);
}

/* Author of node, in epoch. */
static void make_id(unsigned node, unsigned epoch, uint8_t ret_id[GOSSIP_ID_SIZE])
{
    memset(ret_id, 0, GOSSIP_ID_SIZE);
    ret_id[0] = (uint8_t)(node + 1);
    ret_id[1] = (uint8_t)epoch;
}

static uint32_t author(struct tale *tale, unsigned node, unsigned epoch)
{
    uint8_t id[GOSSIP_ID_SIZE];

    make_id(node, epoch, id);
    return journal_author(&tale->journal, id, node);
}

/* Node by shows event seq of node, first epoch, whose clock is {n1:a n2:b n3:c}. */
static void show_content(struct tale *tale, uint64_t time_ms, unsigned by, unsigned node,
                         uint64_t seq, const uint64_t clock[NODES], const char *content)
{
    uint8_t id[GOSSIP_ID_SIZE];
    uint8_t hash[GOSSIP_HASH_SIZE] = {(uint8_t)seq, (uint8_t)node, (uint8_t)content[0]};
    struct counts counts = {0};

    make_id(node, 1, id);
    for (unsigned i = 0; i < NODES; i++)
        if (clock[i] > 0)
            counts_set(&counts, author(tale, i, 1), clock[i]);
    journal_shown(&tale->journal, time_ms, by,
                  &(struct journal_shown){.id = id,
                                          .author_node = node,
                                          .is_own = by == node,
                                          .seq = seq,
                                          .hash = hash,
                                          .is_payload = true,
                                          .data = content,
                                          .size = strlen(content),
                                          .clock = &counts});
    counts_clear(&counts);
}

static void show(struct tale *tale, uint64_t time_ms, unsigned by, unsigned node, uint64_t seq,
                 const uint64_t clock[NODES])
{
    show_content(tale, time_ms, by, node, seq, clock, "text");
}

/* Node by shows n1'2:1, which issues n1:1 again. */
static void reissue(struct tale *tale, uint64_t time_ms, unsigned by)
{
    const uint8_t hash[GOSSIP_HASH_SIZE] = {77};
    const uint8_t again[GOSSIP_HASH_SIZE] = {1, 0, 't'};
    uint8_t id[GOSSIP_ID_SIZE];
    struct counts clock = {0};

    make_id(0, 2, id);
    counts_set(&clock, author(tale, 0, 2), 1);
    journal_shown(&tale->journal, time_ms, by,
                  &(struct journal_shown){.id = id,
                                          .author_node = 0,
                                          .is_own = by == 0,
                                          .seq = 1,
                                          .hash = hash,
                                          .supersedes = again,
                                          .is_payload = true,
                                          .data = "text",
                                          .size = 4,
                                          .clock = &clock});
    counts_clear(&clock);
}

static void read_clock(struct tale *tale, unsigned node, const uint64_t clock[NODES])
{
    struct counts counts = {0};

    for (unsigned i = 0; i < NODES; i++)
        if (clock[i] > 0)
            counts_set(&counts, author(tale, i, 1), clock[i]);
    journal_clock(&tale->journal, 0, node, &counts);
    counts_clear(&counts);
}

#define CLOCK(a, b, c) ((const uint64_t[NODES]){a, b, c})

/* Judges the statement in line 2: "" where it holds, else the witness. */
static void expect_witness(struct tale *tale, const char *witness)
{
    struct text text = {0};
    bool holds = judge(&tale->journal, &tale->script, &tale->script.statements[1], &text);

    assert_string_equal(text.data ? text.data : "", witness);
    assert_int_equal(holds, *witness == '\0');
    text_clear(&text);
}

static void test_converged(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale, "expect converged");
    for (unsigned i = 0; i < NODES; i++)
        read_clock(&tale, i, CLOCK(1, 0, 2));
    expect_witness(&tale, "");
    read_clock(&tale, 1, CLOCK(1, 0, 3));
    expect_witness(&tale, "n1 has {n1:1 n3:2}\nn2 has {n1:1 n3:3}\nn3 has {n1:1 n3:2}\n");
    journal_ended(&tale.journal, 5, 2, 1, 137, NULL); /* Who is down is not asked. */
    expect_witness(&tale, "");
    journal_started(&tale.journal, 6, 1);
    expect_witness(&tale, "n1 has {n1:1 n3:2}\nn2 has {n1:1 n3:3}\nn3 has {n1:1 n3:2}\n");
    journal_paused(&tale.journal, 1, true);
    expect_witness(&tale, "");
    journal_ended(&tale.journal, 7, 2, 0, 137, NULL);
    journal_ended(&tale.journal, 7, 2, 2, 137, NULL);
    expect_witness(&tale, "no node runs\n");
    end(&tale);
    begin(&tale, "expect converged n1 n2");
    journal_ended(&tale.journal, 5, 2, 1, 137, NULL);
    read_clock(&tale, 0, CLOCK(1, 0, 2));
    expect_witness(&tale, "n2 does not run\n");
    end(&tale);
}

static void test_no_loss(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale, "expect no-loss");
    show(&tale, 1000, 0, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 1100, 1, 0, 1, CLOCK(1, 0, 0));
    expect_witness(&tale,
                   "n1:1 \"text\", published by n1 at 1.000 s, is not at n3; it is at n1 n2\n");
    journal_ended(&tale.journal, 1200, 2, 2, 137, NULL);
    expect_witness(&tale, "");
    journal_started(&tale.journal, 1300, 2);
    /* Issued again under another name, it is not lost. */
    for (unsigned i = 0; i < NODES; i++)
        reissue(&tale, 1400, i);
    expect_witness(&tale, "");
    end(&tale);
}

static void test_restored(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale, "expect no-loss");
    show(&tale, 1, 0, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 2, 1, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 2, 2, 0, 1, CLOCK(1, 0, 0));
    journal_backed_up(&tale.journal, 1);
    show(&tale, 3, 0, 0, 2, CLOCK(2, 0, 0));
    show(&tale, 4, 1, 0, 2, CLOCK(2, 0, 0));
    show(&tale, 4, 2, 0, 2, CLOCK(2, 0, 0));
    expect_witness(&tale, "");
    journal_restored(&tale.journal, 5, 2, 1);
    expect_witness(&tale,
                   "n1:2 \"text\", published by n1 at 0.003 s, is not at n2; it is at n1 n3\n");
    show(&tale, 6, 1, 0, 2, CLOCK(2, 0, 0));
    expect_witness(&tale, "");
    /* What is shown again since is no duplicate. */
    tale.script.statements[1].expectation = EXPECT_NO_DUPLICATES;
    expect_witness(&tale, "");
    show(&tale, 7, 1, 0, 2, CLOCK(2, 0, 0));
    expect_witness(&tale, "n1:2 \"text\", published by n1 at 0.003 s, was shown by n2 again at "
                          "0.007 s\n");
    end(&tale);
}

static void test_causal(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale, "expect causal");
    show(&tale, 1, 0, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 2, 1, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 3, 1, 1, 1, CLOCK(1, 1, 0));
    expect_witness(&tale, "");
    show(&tale, 4, 2, 1, 1, CLOCK(1, 1, 0)); /* Before n1:1. */
    expect_witness(&tale, "n2:1 \"text\", published by n2 at 0.003 s, was shown by n3 at 0.004 s "
                          "before all that its writer had seen: {n1:1}; n3 had shown {}\n");
    end(&tale);
    /* A gap in the events of one author. */
    begin(&tale, "expect causal");
    show(&tale, 1, 0, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 1, 0, 0, 2, CLOCK(2, 0, 0));
    show(&tale, 2, 1, 0, 2, CLOCK(2, 0, 0));
    expect_witness(&tale, "n1:2 \"text\", published by n1 at 0.001 s, was shown by n2 at 0.002 s "
                          "before all that its writer had seen: {n1:1}; n2 had shown {}\n");
    end(&tale);
}

/* A clock that claims too little, and one that claims too much. */
static void test_clocks_that_lie(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale, "expect causal");
    show(&tale, 1, 0, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 2, 1, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 3, 1, 1, 1, CLOCK(0, 1, 0));
    expect_witness(&tale, "n2:1 \"text\", published by n2 at 0.003 s, says {n2:1}; its writer had "
                          "shown {n1:1}\n");
    end(&tale);
    begin(&tale, "expect causal");
    show(&tale, 1, 0, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 3, 1, 1, 1, CLOCK(1, 1, 0));
    expect_witness(&tale, "n2:1 \"text\", published by n2 at 0.003 s, says {n1:1 n2:1}; its writer "
                          "had shown {}\n");
    end(&tale);
    /* Of another's events some may be shown to nobody; how many its own writer had is its seq. */
    begin(&tale, "expect causal");
    show(&tale, 3, 1, 1, 1, CLOCK(0, 2, 0));
    expect_witness(&tale, "n2:1 \"text\", published by n2 at 0.003 s, says {n2:2}; its writer had "
                          "shown {}\n");
    end(&tale);
}

/* A dot that was used twice: clocks that are the same then say nothing of what is there. */
static void test_same_dot_twice(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale, "expect converged");
    show(&tale, 1, 0, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 2, 1, 0, 1, CLOCK(1, 0, 0));
    for (unsigned i = 0; i < NODES; i++)
        read_clock(&tale, i, CLOCK(1, 0, 0));
    expect_witness(&tale, "");
    show_content(&tale, 3, 2, 0, 1, CLOCK(1, 0, 0), "other");
    expect_witness(&tale, "n1:1 \"text\", published by n1 at 0.001 s, is at n1 n2\n"
                          "n1:1 \"other\", which n1 has not shown, first seen at 0.003 s, is at "
                          "n3\n");
    tale.script.statements[1].expectation = EXPECT_NO_DUPLICATES;
    expect_witness(&tale, "n1:1 \"other\", which n1 has not shown, first seen at 0.003 s, has the "
                          "number of another event: n1:1 \"text\", published by n1 at 0.001 s\n");
    tale.script.statements[1].expectation = EXPECT_NO_LOSS;
    expect_witness(&tale,
                   "n1:1 \"text\", published by n1 at 0.001 s, is not at n3; it is at n1 n2\n"
                   "n1:1 \"other\", which n1 has not shown, first seen at 0.003 s, is not "
                   "at n1 n2; it is at n3\n");
    /* Once all have cut the author before that dot, nobody counts either. */
    tale.script.statements[1].expectation = EXPECT_CONVERGED;
    for (unsigned i = 0; i < NODES; i++)
        read_clock(&tale, i, CLOCK(0, 0, 0));
    expect_witness(&tale, "");
    end(&tale);
}

static void test_monotonic(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale, "expect monotonic");
    read_clock(&tale, 0, CLOCK(1, 0, 0));
    read_clock(&tale, 0, CLOCK(1, 3, 0));
    expect_witness(&tale, "");
    journal_ended(&tale.journal, 0, 2, 0, 137, NULL);
    journal_started(&tale.journal, 0, 0);
    read_clock(&tale, 0, CLOCK(1, 2, 0)); /* A restart is no excuse, */
    expect_witness(&tale, "the clock of n1 has gone back: at 0.000 s it is {n1:1 n2:2}, and was "
                          "{n1:1 n2:3} before\n");
    end(&tale);
    begin(&tale, "expect monotonic");
    read_clock(&tale, 0, CLOCK(1, 3, 0));
    journal_backed_up(&tale.journal, 0);
    journal_restored(&tale.journal, 0, 2, 0);
    read_clock(&tale, 0, CLOCK(1, 2, 0)); /* a backup is. */
    expect_witness(&tale, "");
    end(&tale);
}

static void test_clock(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale, "expect clock n1 n2 {n1:1 n2:2 n3:0}");
    read_clock(&tale, 0, CLOCK(1, 2, 0));
    read_clock(&tale, 1, CLOCK(1, 2, 0));
    expect_witness(&tale, "");
    read_clock(&tale, 0, CLOCK(1, 2, 1));
    expect_witness(&tale, "n1 has {n1:1 n2:2 n3:1}\n");
    end(&tale);
    begin(&tale, "expect clock n1 {n1:1 n2'2:2}");
    read_clock(&tale, 0, CLOCK(1, 2, 0));
    expect_witness(&tale, "n1 has {n1:1 n2:2}\n");
    end(&tale);
    begin(&tale, "expect clock n2:1 {n1:1 n2:1}");
    expect_witness(&tale, "n2:1 was never shown\n");
    show(&tale, 3, 1, 1, 1, CLOCK(0, 1, 0));
    expect_witness(&tale, "n2:1 \"text\", published by n2 at 0.003 s, has {n2:1}\n");
    end(&tale);
}

static void test_relation(void **state)
{
    static const struct {
        const char *relation;
        bool is_seen; /* n2 has shown n1:1 before it wrote. */
        uint64_t said;
        bool holds;
    } cases[] = {
        {"n1:1 n2:1 before", true, 1, true},       {"n2:1 n1:1 after", true, 1, true},
        {"n1:1 n2:1 after", true, 1, false},       {"n1:1 n2:1 concurrent", true, 1, false},
        {"n1:1 n2:1 concurrent", false, 0, true},  {"n1:1 n2:1 before", false, 0, false},
        {"n1:1 n1:1 equal", false, 0, true},       {"n1:1 n2:1 equal", false, 0, false},
        {"n1:1 n2:1 before", true, 0, false}, /* The clock does not tell. */
        {"n1:1 n2:1 concurrent", true, 0, false},  {"n1:1 n2:1 before", false, 1, false},
        {"n1:1 n2:1 concurrent", false, 1, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = {0};
        struct tale tale;
        char line[64];

        snprintf(line, sizeof(line), "expect relation %s", cases[i].relation);
        begin(&tale, line);
        show(&tale, 1, 0, 0, 1, CLOCK(1, 0, 0));
        if (cases[i].is_seen)
            show(&tale, 2, 1, 0, 1, CLOCK(1, 0, 0));
        show(&tale, 3, 1, 1, 1, CLOCK(cases[i].said, 1, 0));
        assert_int_equal(judge(&tale.journal, &tale.script, &tale.script.statements[1], &text),
                         cases[i].holds);
        text_clear(&text);
        end(&tale);
    }
}

static void test_counts(void **state)
{
    static const struct {
        const char *expectation;
        const char *witness;
    } cases[] = {
        {"events n1 2", ""},
        {"events n1 >= 3", "n1 has shown 2 events\n"},
        {"events * <= 2", ""},
        {"events * 2", "n3 has shown 0 events\n"},
        {"deliveries n1 n2 4", ""},
        {"deliveries * >= 4", ""},
        {"deliveries * <= 3", "there were 4 deliveries\n"
                              "n1:1 \"text\", published by n1 at 0.001 s, was not shown at n3\n"
                              "n2:1 \"text\", published by n2 at 0.002 s, was not shown at n3\n"},
        {"concurrent 1", ""},
        {"concurrent 0", "1 of 1 pairs are concurrent\n"},
        {"exit n1 0", "n1 runs still\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tale tale;
        char line[64];

        snprintf(line, sizeof(line), "expect %s", cases[i].expectation);
        begin(&tale, line);
        show(&tale, 1, 0, 0, 1, CLOCK(1, 0, 0));
        show(&tale, 2, 1, 1, 1, CLOCK(0, 1, 0));
        show(&tale, 3, 0, 1, 1, CLOCK(0, 1, 0));
        show(&tale, 3, 1, 0, 1, CLOCK(1, 0, 0));
        expect_witness(&tale, cases[i].witness);
        end(&tale);
    }
}

static void test_ends(void **state)
{
    static const struct {
        const char *line;
        int code;
        bool is_excused;
    } cases[] = {
        {"heal", 78, false},
        {"expect exit n1 78", 78, false},
        {"expect exit n2 78", 78, true},
        {"disk n2 fail", 65, true},
        {"disk n1 fail", 74, false},
        {"disk n2 full", 74, true},
        {"disk n2 full", 65, false},
        {"disk n2 slow 5ms", 74, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = {0};
        struct tale tale;

        begin(&tale, cases[i].line);
        journal_done(&tale.journal, 1, 2, cases[i].line);
        journal_ended(&tale.journal, 1, 2, 0, 137, NULL);
        assert_true(judge_ends(&tale.journal, &tale.script, &text));
        journal_ended(&tale.journal, 2500, 0, 1, cases[i].code, "it was tired");
        assert_int_equal(judge_ends(&tale.journal, &tale.script, &text), cases[i].is_excused);
        if (!cases[i].is_excused)
            assert_non_null(strstr(text.data, "n2 has ended by itself at 2.500 s with "));
        text_clear(&text);
        end(&tale);
    }
    /* A disk that is well again explains nothing. */
    {
        struct text text = {0};
        struct tale tale;

        begin(&tale, "disk n2 fail\ndisk n2 ok");
        journal_done(&tale.journal, 1, 2, "");
        journal_ended(&tale.journal, 2, 0, 1, 74, "it failed");
        journal_done(&tale.journal, 3, 3, "");
        assert_true(judge_ends(&tale.journal, &tale.script, &text));
        journal_ended(&tale.journal, 4, 0, 1, 65, "it was tired");
        assert_false(judge_ends(&tale.journal, &tale.script, &text));
        assert_string_equal(text.data, "n2 has ended by itself at 0.004 s with 65: it was tired\n");
        text_clear(&text);
        end(&tale);
    }
    {
        struct tale tale;

        begin(&tale, "expect exit n2 0");
        journal_ended(&tale.journal, 2, 2, 1, 137, NULL);
        expect_witness(&tale, "n2 has ended with 137\n");
        journal_ended(&tale.journal, 3, 2, 1, 0, NULL);
        expect_witness(&tale, "");
        end(&tale);
    }
}

/* Of what is wrong only the first few are shown, and the others counted. */
static void test_long_witness(void **state)
{
    struct text text = {0};
    struct tale tale;

    (void)state;
    begin(&tale, "expect no-loss");
    for (uint64_t i = 1; i <= 20; i++)
        show(&tale, i, 0, 0, i, CLOCK(i, 0, 0));
    assert_false(judge(&tale.journal, &tale.script, &tale.script.statements[1], &text));
    assert_non_null(strstr(text.data, "\nand 12 more\n"));
    text_clear(&text);
    end(&tale);
}

static void test_figures(void **state)
{
    struct figures figures;
    struct tale tale;

    (void)state;
    begin(&tale, "partition n1 n2 | n3\nheal");
    journal_done(&tale.journal, 100, 2, "partition n1 n2 | n3");
    show(&tale, 1000, 0, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 1010, 1, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 1020, 0, 0, 2, CLOCK(2, 0, 0));
    show(&tale, 1050, 1, 0, 2, CLOCK(2, 0, 0));
    journal_done(&tale.journal, 5000, 3, "heal");
    show(&tale, 5500, 2, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 6000, 2, 0, 2, CLOCK(2, 0, 0));
    journal_traffic(&tale.journal, 6100, 60, 6000);
    figures_take(&tale.journal, &tale.script, 7000, &figures);
    assert_int_equal(figures.published, 2);
    assert_int_equal(figures.deliveries, 4);
    assert_int_equal(figures.datagrams, 60);
    assert_int_equal(figures.bytes, 6000);
    assert_int_equal(figures.latencies[LATENCY_ALL].count, 4);
    assert_int_equal(figures.latencies[LATENCY_ALL].p50_ms, 30);
    assert_int_equal(figures.latencies[LATENCY_ALL].max_ms, 4980);
    assert_int_equal(figures.latencies[LATENCY_SAME].count, 2);
    assert_int_equal(figures.latencies[LATENCY_SAME].max_ms, 30);
    assert_int_equal(figures.latencies[LATENCY_OTHER].count, 2);
    assert_int_equal(figures.latencies[LATENCY_OTHER].p50_ms, 4500);
    assert_int_equal(figures.heal_count, 1);
    assert_true(figures.heals[0].agreed);
    assert_int_equal(figures.heals[0].took_ms, 1000);
    assert_true(figures.has_gap);
    assert_int_equal(figures.gap_node, 2);
    assert_int_equal(figures.gap_ms, 4500);
    assert_int_equal(figures.gap_from_ms, 1000);
    end(&tale);
}

/* Who has an event under another name lacks nothing. */
static void test_figures_of_reissues(void **state)
{
    struct figures figures;
    struct tale tale;

    (void)state;
    begin(&tale, "partition n1 n2 | n3\nheal");
    journal_done(&tale.journal, 100, 2, "partition n1 n2 | n3");
    show(&tale, 1000, 0, 0, 1, CLOCK(1, 0, 0));
    show(&tale, 1010, 1, 0, 1, CLOCK(1, 0, 0));
    journal_done(&tale.journal, 5000, 3, "heal");
    for (unsigned i = 0; i < NODES; i++)
        reissue(&tale, 5100 + i, i);
    figures_take(&tale.journal, &tale.script, 9000, &figures);
    assert_int_equal(figures.heal_count, 1);
    assert_true(figures.heals[0].agreed);
    assert_int_equal(figures.heals[0].took_ms, 102);
    assert_true(figures.has_gap);
    assert_int_equal(figures.gap_node, 2);
    assert_int_equal(figures.gap_ms, 4102);
    end(&tale);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_converged),
        cmocka_unit_test(test_no_loss),
        cmocka_unit_test(test_restored),
        cmocka_unit_test(test_causal),
        cmocka_unit_test(test_clocks_that_lie),
        cmocka_unit_test(test_monotonic),
        cmocka_unit_test(test_same_dot_twice),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_relation),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_long_witness),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_figures_of_reissues),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
