/* The children of the benchmarks, and the reader at the other end. Small, so that what is measured is the tool between
 * them.
 *
 *   child flood NUMBER LINES SECONDS BLOCK GO DONE   when the file GO appears: lines of 80 bytes, BLOCK bytes a write
 *                                                    (4096 cuts lines in two, as stdio does)
 *   child tick COUNT MICROSECONDS GO                 a line with the time in it, then a pause
 *   child up COUNTER                                 adds one to the first four bytes of a file, then sleeps
 *   child life FILE                                  appends the time to a file, prints a line, then sleeps
 *   child sink MODE CHILDREN TICKS SECONDS           reads stdin to the last line of each child; reports on stderr
 *   child slow BYTES_A_SECOND SECONDS                reads stdin slowly
 *
 * A line of a flood: "#L 003 0000000042 xxxx…", a tick: "#T 1234567890123 ", the last line of a flood: "#E 003 total".
 * MODE is "prefixed" (each line must hold the name of its child, "c003", before the "#"), "bare" (nothing but the line)
 * or "count" (only newlines are counted, for `cat`, which mixes the children's lines).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 80, LINES = 512, CHILDREN = 2000, TICKS = 100000, BUFFER = 1 << 17, LONGEST = 256 };

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void nap(int64_t ns) {
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    nanosleep(&t, NULL);
}

static void sleep_for_ever(void) {
    for (;;) pause();
}

static void wait_for(const char *path) {
    while (access(path, F_OK)) nap(500000);
}

static void write_all(int fd, const char *data, size_t size) {
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) exit(1);
        data += n;
        size -= n;
    }
}

static void digits(char *to, int width, long value) {
    for (to += width; width--; value /= 10) *--to = '0' + value % 10;
}

static void flood(char **words) {
    long number = atol(words[0]), lines = atol(words[1]), block = atol(words[3]), made = 0;
    double seconds = atof(words[2]);
    char *buffer = malloc(LINES * WIDTH), text[64];
    memset(buffer, 'x', LINES * WIDTH);
    for (long i = 0; i < LINES; i++) {
        memcpy(buffer + i * WIDTH, "#L 000 0000000000 ", 18);
        digits(buffer + i * WIDTH + 3, 3, number);
        buffer[i * WIDTH + WIDTH - 1] = '\n';
    }
    wait_for(words[4]);
    int64_t end = now() + seconds * 1e9;
    while (made < lines && now() < end) {
        long n = lines - made < LINES ? lines - made : LINES;
        for (long i = 0; i < n; i++) digits(buffer + i * WIDTH + 7, 10, made + i);
        for (long at = 0; at < n * WIDTH; at += block)
            write_all(1, buffer + at, n * WIDTH - at < block ? n * WIDTH - at : block);
        made += n;
    }
    memcpy(buffer, "#E", 2);
    digits(buffer + 7, 10, made);
    write_all(1, buffer, WIDTH);
    int fd = open(words[5], O_WRONLY | O_CREAT | O_APPEND, 0600);
    write_all(fd, text, snprintf(text, sizeof text, "%ld %ld %lld\n", number, made, (long long)now()));
    sleep_for_ever();
}

static void tick(char **words) {
    long count = atol(words[0]), pause_us = atol(words[1]);
    char text[64];
    wait_for(words[2]);
    for (long i = 0; i < count; i++) {
        nap(pause_us * 1000);
        write_all(1, text, snprintf(text, sizeof text, "#T %lld \n", (long long)now()));
    }
    sleep_for_ever();
}

static void up(char **words) {
    int fd = open(words[0], O_RDWR | O_CLOEXEC);
    int *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    __sync_fetch_and_add(counter, 1);
    munmap(counter, 4096);
    close(fd);
    write_all(1, "up\n", 3);
    sleep_for_ever();
}

static void life(char **words) {
    char text[64];
    int fd = open(words[0], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    write_all(fd, text, snprintf(text, sizeof text, "%lld %d\n", (long long)now(), getpid()));
    write_all(1, "alive\n", 6);
    sleep_for_ever();
}

static long expected[CHILDREN], good, bad, lost, others, ended, ticks, newlines, bytes;
static int64_t delays[TICKS], first, last;
static int prefixed;
static char filling[WIDTH];
static struct {
    size_t size, digits; /* of the line with its newline; where its number starts */
    char text[LONGEST];
} next[CHILDREN], *guess = next; /* the line that each child must write next, with its prefix; whose turn it may be */

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void count_up(void) {
    for (char *digit = guess->text + guess->digits + 9; ++*digit > '9'; digit--) *digit = '0';
}

/* The child's next line is this one with its number plus one, as long as its prefix stays the same. */
static void foresee(long number, const char *line, size_t size, size_t digits) {
    guess = next + number;
    guess->size = size <= LONGEST ? size : 0;
    guess->digits = digits;
    if (!guess->size) return;
    memcpy(guess->text, line, size);
    count_up();
}

/* Whether the next line is, to the last byte, the expected one: a sink must be faster than what it measures. */
static int is_foreseen(const char *line, const char *stop) {
    return guess->size && stop - line >= (ptrdiff_t)guess->size && !memcmp(line, guess->text, guess->size);
}

static void look_at(const char *line, const char *end, int64_t arrived) {
    const char *mark = memchr(line, '#', end - line);
    if (!mark || end - mark < 4) {
        others++;
        return;
    }
    if (mark[1] == 'T') {
        if (ticks < TICKS) delays[ticks++] = arrived - atoll(mark + 3);
        return;
    }
    if (end - mark != WIDTH - 1 || mark[WIDTH - 2] != 'x' || (mark[1] != 'L' && mark[1] != 'E')) {
        bad++;
        return;
    }
    long number = (mark[3] - '0') * 100 + (mark[4] - '0') * 10 + mark[5] - '0', sequence = 0;
    char name[4] = {'c', mark[3], mark[4], mark[5]};
    for (int i = 7; i < 17; i++) sequence = sequence * 10 + mark[i] - '0';
    if (number < 0 || number >= CHILDREN || (prefixed ? !memmem(line, mark - line, name, 4) : mark != line)) {
        bad++;
        return;
    }
    if (memcmp(mark + 18, filling, WIDTH - 19)) {
        bad++;
        return;
    }
    if (sequence != expected[number]) lost++;
    expected[number] = sequence + 1;
    if (mark[1] == 'E') {
        ended++;
    } else {
        good++;
        foresee(number, line, end + 1 - line, mark + 7 - line);
    }
    last = arrived;
    if (!first) first = arrived;
}

static void report(void) {
    int64_t p50 = 0, p99 = 0;
    if (ticks) {
        qsort(delays, ticks, sizeof *delays, by_value);
        p50 = delays[ticks / 2];
        p99 = delays[ticks * 99 / 100];
    }
    fprintf(stderr,
            "{\"good\": %ld, \"bad\": %ld, \"lost\": %ld, \"others\": %ld, \"ended\": %ld, \"newlines\": %ld, "
            "\"bytes\": %ld, \"first\": %lld, \"last\": %lld, \"ticks\": %ld, \"p50\": %lld, \"p99\": %lld}\n",
            good, bad, lost, others, ended, newlines, bytes, (long long)first, (long long)last, ticks, (long long)p50,
            (long long)p99);
}

static void sink(char **words) {
    long children = atol(words[1]), wanted = atol(words[2]), kept = 0;
    int64_t until = now() + atof(words[3]) * 1e9;
    int count_only = !strcmp(words[0], "count");
    char *buffer = malloc(2 * BUFFER);
    struct pollfd input = {0, POLLIN, 0};
    prefixed = !strcmp(words[0], "prefixed");
    memset(filling, 'x', sizeof filling);
    int silent = 0; /* tenths of a second */
    while ((ended < children || ticks < wanted) && now() < until) {
        if (poll(&input, 1, 100) == 0) {
            if (count_only && ended && ++silent == 10) break; /* an end within another child's line is not noticed */
            continue;
        }
        silent = 0;
        ssize_t n = read(0, buffer + kept, BUFFER);
        int64_t arrived = now();
        if (n <= 0) break;
        bytes += n;
        if (count_only) last = arrived;
        char *line = buffer, *end, *stop = buffer + kept + n;
        for (;; line = end + 1) {
            for (; is_foreseen(line, stop); line += guess->size) {
                newlines++, good++, expected[guess - next]++, last = arrived;
                count_up();
            }
            if (!(end = memchr(line, '\n', stop - line))) break;
            newlines++;
            if (!count_only) look_at(line, end, arrived);
            else if (line[0] == '#' && line[1] == 'E') ended++;
        }
        kept = stop - line;
        if (kept > BUFFER) kept = 0, bad++;
        memmove(buffer, line, kept);
    }
    report();
    while (read(0, buffer, BUFFER) > 0) {} /* the tool's last output */
}

static void slow(char **words) {
    char buffer[4096];
    int64_t until = now() + atof(words[1]) * 1e9;
    while (now() < until && read(0, buffer, sizeof buffer) > 0) nap(sizeof buffer * 1000000000LL / atol(words[0]));
    sleep_for_ever();
}

int main(int count, char **words) {
    const struct {
        const char *name;
        int count;
        void (*run)(char **);
    } roles[] = {{"flood", 6, flood}, {"tick", 3, tick}, {"up", 1, up}, {"life", 1, life}, {"sink", 4, sink}, {"slow", 2, slow}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (count == roles[i].count + 2 && !strcmp(words[1], roles[i].name)) {
            roles[i].run(words + 2);
            return 0;
        }
    fprintf(stderr, "child: see the head of child.c\n");
    return 2;
}
