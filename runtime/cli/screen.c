#include "runtime/cli/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

static void write_all(int fd, const buf *text) {
    for (size_t at = 0; at < text->len;) {
        ssize_t wrote = write(fd, text->data + at, text->len - at);
        if (wrote <= 0) return;
        at += (size_t)wrote;
    }
}

/* Go to where the block begins. */
static void put_home(const screen *s, buf *out) {
    buf_put_char(out, '\r');
    if (s->line_count) buf_printf(out, "\033[%uA", s->line_count);
}

/* Called with the logger's lock held. */
static void erase(void *arg) {
    screen *s = arg;
    if (!s->line_count) return;
    buf out;
    buf_init(&out);
    put_home(s, &out);
    buf_put_text(&out, "\033[J");
    write_all(s->fd, &out);
    buf_done(&out);
    s->line_count = 0;
}

void screen_init(screen *s, int fd, logger *log) {
    *s = (screen){ .fd = fd, .log = log };
    if (fd < 0) return;
    log->before = erase;
    log->before_arg = s;
}

void screen_size(const screen *s, uint32_t *lines, uint32_t *columns) {
    struct winsize size;
    bool is_known = ioctl(s->fd, TIOCGWINSZ, &size) == 0;
    *lines = is_known && size.ws_row ? size.ws_row : 24;
    *columns = is_known && size.ws_col ? size.ws_col : 80;
}

void screen_draw(screen *s, const buf *block, bool for_good) {
    buf out;
    uint32_t lines = 0;
    if (s->fd < 0) return;
    buf_init(&out);
    pthread_mutex_lock(&s->log->lock);
    put_home(s, &out);
    for (size_t i = 0; i < block->len; i++) {
        if (block->data[i] == '\n') {
            buf_put_text(&out, "\033[K"); /* what the last block had there */
            lines++;
        }
        buf_put_char(&out, block->data[i]);
    }
    buf_put_text(&out, "\033[J");
    write_all(s->fd, &out);
    s->line_count = for_good ? 0 : lines;
    pthread_mutex_unlock(&s->log->lock);
    buf_done(&out);
}
