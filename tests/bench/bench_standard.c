/* Events of the standard benchmarks, a JSON document a line; COUNT says all of them.
 *
 *     bench_standard ysb FILE COUNT        ad events of Yahoo's benchmark, up to 2 s of disorder
 *     bench_standard nexmark FILE COUNT    persons, auctions and bids, 1 : 3 : 46, in order
 *
 * Both have 2 minutes of event time. Nothing of sluice is used: what must come out of the queries
 * is counted from the file, by bench_standard.py. Sources: Chintapalli et al., "Benchmarking
 * Streaming Computation Engines" (2016): 100 campaigns of 10 ads, a third of the events are views.
 * Tucker, Tufte, Papadimos, Maier, "NEXMark" (2002), proportions and hot keys as in the generator
 * of Apache Beam; half of the bids are for a hot auction, three of four by a hot bidder. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADS = 1000,
       SPAN_MS = 120000,
       DISORDER_MS = 2000,
       EPOCH = 50,
       AUCTIONS = 3,
       FIRST_ID = 1000,
       HOT_RUN = 100,
       ACTIVE_PERSONS = 1000,
       IN_FLIGHT = 100 };

static const int64_t START_MS = 1700000000000;
static const char *const ad_types[] = { "banner", "modal", "sponsored-search", "mail", "mobile" };
static const char *const event_types[] = { "view", "click", "purchase" };
static const char *const channels[] = { "Google", "Facebook", "Baidu", "Apple" };

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t z) {
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t time_ms(uint64_t i, uint64_t count) {
    return START_MS + (int64_t)((double)i * SPAN_MS / (double)count);
}

static void ad_event(FILE *out, uint64_t i, uint64_t count) {
    uint64_t x = mix(i), y = mix(x), z = mix(y);
    fprintf(out,
            "{\"user_id\":\"%016" PRIx64 "\",\"page_id\":\"%016" PRIx64 "\",\"ad_id\":\"ad-%03d\","
            "\"ad_type\":\"%s\",\"event_type\":\"%s\",\"event_time\":%" PRId64
            ",\"ip_address\":\"10.%d.%d.%d\"}\n",
            x % 100000, y % 10000, (int)(z % ADS), ad_types[x % 5], event_types[y / 64 % 3],
            time_ms(i, count) - (int64_t)(z / ADS % DISORDER_MS), (int)(x >> 16 & 255),
            (int)(x >> 24 & 255), (int)(x >> 32 & 255));
}

/* Numbers, from 0, of the last person and auction made before or at event i. */
static uint64_t last_person(uint64_t i) {
    return i / EPOCH;
}

static uint64_t last_auction(uint64_t i) {
    uint64_t offset = i % EPOCH, before = i / EPOCH * AUCTIONS;
    if (offset == 0) return before ? before - 1 : 0;
    return before + (offset < AUCTIONS ? offset - 1 : AUCTIONS - 1);
}

/* One of the last `range` ids. */
static uint64_t recent(uint64_t last, uint64_t range, uint64_t random) {
    return FIRST_ID + last - random % ((last < range ? last : range) + 1);
}

static uint64_t hot_or(uint64_t last, uint64_t is_cold, uint64_t cold) {
    return is_cold ? cold : FIRST_ID + last / HOT_RUN * HOT_RUN;
}

/* As many of each size, from 100 to 100 million. */
static uint64_t price(uint64_t random) {
    static const uint64_t sizes[] = { 100, 1000, 10000, 100000, 1000000, 10000000 };
    return sizes[random % 6] * (1000 + random / 6 % 9000) / 1000;
}

static void auction_event(FILE *out, uint64_t i, uint64_t count) {
    uint64_t x = mix(i), y = mix(x), z = mix(y), person = last_person(i), auction = last_auction(i);
    int64_t at = time_ms(i, count);
    if (i % EPOCH == 0) {
        fprintf(out,
                "{\"event_type\":\"person\",\"id\":%" PRIu64 ",\"name\":\"name %d\","
                "\"city\":\"city %d\",\"date_time\":%" PRId64 "}\n",
                FIRST_ID + person, (int)(x % 99), (int)(y % 10), at);
    } else if (i % EPOCH <= AUCTIONS) {
        fprintf(out,
                "{\"event_type\":\"auction\",\"id\":%" PRIu64 ",\"item_name\":\"item %d\","
                "\"initial_bid\":%" PRIu64 ",\"seller\":%" PRIu64 ",\"category\":%d,"
                "\"date_time\":%" PRId64 "}\n",
                FIRST_ID + auction, (int)(x % 999), price(y), recent(person, ACTIVE_PERSONS, z),
                10 + (int)(x % 5), at);
    } else {
        uint64_t bidder = hot_or(person, x % 4 == 0, recent(person, ACTIVE_PERSONS, y));
        fprintf(out,
                "{\"event_type\":\"bid\",\"auction\":%" PRIu64 ",\"bidder\":%" PRIu64
                ",\"price\":%" PRIu64 ",\"channel\":\"%s\",\"url\":"
                "\"https://auction.example/item.htm?query=1&channel_id=%d\","
                "\"date_time\":%" PRId64 "}\n",
                hot_or(auction, y % 2, recent(auction, IN_FLIGHT, z)), bidder, price(z),
                channels[y >> 8 & 3], (int)(z >> 8 & 8191), at);
    }
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "bench_standard ysb|nexmark FILE COUNT\n"), 2;
    FILE *out = fopen(argv[2], "w");
    uint64_t count = strtoull(argv[3], NULL, 10);
    if (!out) return perror(argv[2]), 1;
    for (uint64_t i = 0; i < count; i++)
        if (!strcmp(argv[1], "ysb"))
            ad_event(out, i, count);
        else
            auction_event(out, i, count);
    if (fclose(out)) return perror(argv[2]), 1;
    return 0;
}
