#include "runtime/cli/display.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/cli/screen.h"
#include "runtime/cli/text.h"
#include "runtime/cli/thread.h"

enum { REDRAW_MS = 250 };

struct display {
    display_options options;
    screen screen;
    status_rate rate;     /* thread: the display's */
    int64_t told_ms;      /* steady time of the last "progress" */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    status_facts facts;
    bool is_ending;
    pthread_t thread;
    bool has_thread;
};

static const clock_source real = { 0 };

static void draw(display *d, const status_facts *f, bool at_last) {
    uint32_t lines, columns;
    int64_t now_ms = clock_now_ms(&real);
    buf block;
    buf_init(&block);
    screen_size(&d->screen, &lines, &columns);
    if (d->options.results)
        results_put_tables(d->options.results, &block, lines - 2, columns - 1, now_ms);
    if (!at_last && !f->at_ms) buf_put_text(&block, "starting\n");
    if (!at_last && f->at_ms) {
        status_put_line(&block, f, d->rate.rate, now_ms, clock_steady_ms(&real) - f->at_ms,
                        columns - 1);
        buf_put_char(&block, '\n');
    }
    screen_draw(&d->screen, &block, at_last);
    buf_done(&block);
}

static void put_time(buf *out, const status_facts *f) {
    if (!f->has_watermark)
        buf_put_text(out, "off");
    else if (f->watermark == WATERMARK_NONE)
        buf_put_text(out, "none");
    else if (f->watermark == WATERMARK_ENDED)
        buf_put_text(out, "ended");
    else
        text_put_time(out, f->watermark, INT64_MIN);
    buf_text(out);
}

/* A line for machines. */
static void tell(display *d, const status_facts *f) {
    int64_t now_ms = clock_steady_ms(&real);
    if (!d->told_ms) d->told_ms = now_ms;
    if (!f->at_ms || now_ms - d->told_ms < d->options.every_ms) return;
    d->told_ms = now_ms;
    buf watermark;
    buf_init(&watermark);
    put_time(&watermark, f);
    log_info(d->options.log, "progress",
             log_number("rec_per_s", d->rate.rate < 0 ? 0 : d->rate.rate + 0.5),
             log_number("lag", f->lag), log_text("watermark", watermark.data),
             log_text("held_by", f->held_by), log_number("read", f->read),
             log_number("late", f->late), log_number("bad", f->bad),
             log_number("rows_out", f->rows), log_number("batches", f->batches),
             log_number("silent_ms", now_ms - f->at_ms));
    buf_done(&watermark);
}

static void *show(void *arg) {
    display *d = arg;
    pthread_mutex_lock(&d->lock);
    while (!d->is_ending) {
        status_facts facts = d->facts;
        pthread_mutex_unlock(&d->lock);
        if (facts.at_ms) status_rate_add(&d->rate, &facts, clock_steady_ms(&real));
        if (d->options.fd >= 0)
            draw(d, &facts, false);
        else
            tell(d, &facts);
        struct timespec until;
        int64_t at_ms = clock_steady_ms(&real) + REDRAW_MS;
        until.tv_sec = at_ms / 1000;
        until.tv_nsec = at_ms % 1000 * 1000000;
        pthread_mutex_lock(&d->lock);
        while (!d->is_ending && !pthread_cond_timedwait(&d->wake, &d->lock, &until)) continue;
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

display *display_start(const display_options *options) {
    display *d = mem_zalloc(1, sizeof *d);
    pthread_condattr_t steady;
    d->options = *options;
    screen_init(&d->screen, options->fd, options->log);
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&d->wake, &steady);
    pthread_condattr_destroy(&steady);
    d->has_thread = thread_start(&d->thread, show, d);
    return d;
}

void display_update(display *d, const status_facts *facts) {
    pthread_mutex_lock(&d->lock);
    d->facts = *facts;
    pthread_mutex_unlock(&d->lock);
}

void display_stop(display *d) {
    if (!d) return;
    pthread_mutex_lock(&d->lock);
    d->is_ending = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    if (d->has_thread) pthread_join(d->thread, NULL);
    if (d->options.fd >= 0) draw(d, &d->facts, true);
    d->options.log->before = NULL;
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    mem_free(d);
}
