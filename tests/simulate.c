/* simulate: carries out campaigns by seed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/campaign.h"

static void show(void *context, uint64_t time_ms, const char *line)
{
    (void)context;
    printf("%8" PRIu64 ".%03u  %s\n", time_ms / 1000, (unsigned)(time_ms % 1000), line);
}

static void count(void *context, const char *name, uint64_t count)
{
    (void)context;
    printf("%-32s %" PRIu64 "\n", name, count);
}

int main(int argc, char **argv)
{
    uint64_t from = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t to = argc > 2 ? strtoull(argv[2], NULL, 10) : from;
    struct campaign_coverage sum = {0};
    unsigned failed = 0;

    for (uint64_t seed = from; seed <= to; seed++) {
        struct plan_faults faults = {0};
        struct campaign_result result;
        struct plan plan;

        plan_draw(&plan, seed, &faults);
        campaign_run(&plan, argc > 3 ? show : NULL, NULL, &result);
        if (result.violation.invariant != INVARIANT_NONE) {
            printf("seed %" PRIu64 " (%u nodes) at %" PRIu64 " ms: %s %s: %s\n", seed, plan.options.nodes, result.violation.time_ms,
                   invariant_letter(result.violation.invariant),
                   invariant_name(result.violation.invariant), result.violation.witness);
            failed++;
        } else if (from == to)
            printf("trace %016" PRIx64 "\n", result.trace);
        fflush(stdout);
        campaign_coverage_add(&sum, &result.coverage);
        plan_clear(&plan);
    }
    campaign_coverage_show(&sum, count, NULL);
    printf("%u failed\n", failed);
    return failed > 0;
}
