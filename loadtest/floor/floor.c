/*
 * The floor: about the least that a WebSocket server can do on this machine, to divide by.
 *
 * One thread, one edge-triggered epoll set, one buffer. A message that arrives is sent back (path
 * /echo), or to every other connection (path /fan), everything of one read in one write. It masks,
 * checks and frames as RFC 6455 asks of a server for unfragmented messages up to 64 KiB less a head;
 * anything else ends the connection. It has no limits, no timers and no protocol above: that is the
 * point.
 *
 *     cc -O2 -o floor floor.c && ./floor
 *
 * prints where it listens, like the server it is compared with.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 << 10, EVENTS = 256, FDS = 1 << 16 };

struct bytes {
    uint8_t *at;
    size_t length;
};

struct connection {
    struct bytes partial; /* read and not yet a whole message */
    struct bytes unsent;  /* what the socket did not take */
    int fan;              /* place among the fan members and 1 more; 0 for an echo */
    int upgraded;
};

static struct connection *connections[FDS];
static int members[FDS], member_count;
static uint8_t in[2 * BUFFER], out[2 * BUFFER];
static int epoll_fd;

static void *sure(void *allocated)
{
    if (!allocated)
        abort();
    return allocated;
}

static void keep(struct bytes *kept, const uint8_t *from, size_t length)
{
    if (!length)
        return;
    kept->at = sure(realloc(kept->at, kept->length + length));
    memcpy(kept->at + kept->length, from, length);
    kept->length += length;
}

static void forget(struct bytes *kept)
{
    free(kept->at);
    *kept = (struct bytes){0};
}

static void drop(int fd)
{
    struct connection *gone = connections[fd];
    if (gone->fan) {
        int last = members[--member_count];
        members[gone->fan - 1] = last;
        connections[last]->fan = gone->fan;
    }
    forget(&gone->partial);
    forget(&gone->unsent);
    free(gone);
    connections[fd] = NULL;
    close(fd);
}

/* Writes once, or behind what waits already. False if the connection is broken. */
static int put(int fd, const uint8_t *from, size_t length)
{
    struct bytes *unsent = &connections[fd]->unsent;
    ssize_t written = 0;
    if (!unsent->length) {
        written = write(fd, from, length);
        if (written < 0 && errno != EAGAIN)
            return 0;
        if (written < 0)
            written = 0;
    }
    keep(unsent, from + written, length - (size_t)written);
    return 1;
}

static int put_unsent(int fd)
{
    struct bytes unsent = connections[fd]->unsent;
    connections[fd]->unsent = (struct bytes){0};
    int whole = !unsent.length || put(fd, unsent.at, unsent.length);
    free(unsent.at);
    return whole;
}

static uint32_t rotate(uint32_t word, int by)
{
    return word << by | word >> (32 - by);
}

/* SHA-1 of a text of at most 119 bytes. */
static void sha1(const char *text, uint8_t digest[20])
{
    uint8_t blocks[128] = {0};
    size_t length = strlen(text), size = length < 56 ? 64 : 128;
    memcpy(blocks, text, length);
    blocks[length] = 0x80;
    blocks[size - 2] = (uint8_t)(length * 8 >> 8);
    blocks[size - 1] = (uint8_t)(length * 8);
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    for (uint8_t *block = blocks; block < blocks + size; block += 64) {
        uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
        for (int i = 0; i < 80; i++)
            w[i] = i < 16 ? (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16
                                | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3]
                          : rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20   ? (b & c) | (~b & d)
                         : i < 40 ? b ^ c ^ d
                         : i < 60 ? (b & c) | (b & d) | (c & d)
                                  : b ^ c ^ d;
            uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
            uint32_t next = rotate(a, 5) + f + e + k + w[i];
            e = d, d = c, c = rotate(b, 30), b = a, a = next;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
    }
    for (int i = 0; i < 20; i++)
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static void accept_value(const char *key, char value[29])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[64];
    uint8_t digest[21] = {0};
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(text, digest);
    for (int i = 0; i < 7; i++) {
        uint32_t three = (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 | digest[3 * i + 2];
        for (int j = 0; j < 4; j++)
            value[4 * i + j] = digits[three >> (18 - 6 * j) & 63];
    }
    value[27] = '=', value[28] = 0;
}

/* Answers a handshake that is complete. Returns its length, 0 if it is not, -1 if it is none. */
static ssize_t upgrade(int fd, uint8_t *bytes, size_t length)
{
    struct connection *new = connections[fd];
    uint8_t *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end)
        return length < BUFFER ? 0 : -1;
    end[2] = 0;
    char *key = strcasestr((char *)bytes, "\r\nSec-WebSocket-Key:");
    if (!key || strncmp((char *)bytes, "GET /", 5))
        return -1;
    key += 20;
    key += strspn(key, " ");
    if (strcspn(key, "\r ") != 24)
        return -1;
    char value[29], answer[160];
    accept_value(key, value);
    int size = snprintf(answer, sizeof answer,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n\r\n", value);
    new->upgraded = 1;
    if (!strncmp((char *)bytes, "GET /fan ", 9)) {
        members[member_count++] = fd;
        new->fan = member_count;
    }
    return put(fd, (uint8_t *)answer, (size_t)size) ? end + 4 - bytes : -1;
}

/* Turns whole messages in `in` into messages in `out`. Returns how much was used, -1 for a breach. */
static ssize_t turn_around(uint8_t *bytes, size_t length, size_t *made)
{
    size_t used = 0;
    *made = 0;
    while (length - used >= 6) {
        uint8_t *head = bytes + used;
        size_t size = head[1] & 127, skip = 2;
        if ((head[0] != 0x82 && head[0] != 0x81) || !(head[1] & 128) || size == 127)
            return -1;
        if (size == 126) {
            size = (size_t)head[2] << 8 | head[3];
            skip = 4;
            if (size < 126)
                return -1;
        }
        if (length - used < skip + 4 + size)
            break;
        uint8_t *mask = head + skip, *from = mask + 4, *to = out + *made;
        to[0] = head[0];
        to[1] = head[1] & 127;
        to[2] = head[2], to[3] = head[3];
        to += skip;
        uint64_t wide, four;
        uint32_t word;
        memcpy(&word, mask, 4);
        four = (uint64_t)word << 32 | word;
        size_t i = 0;
        for (; i + 8 <= size; i += 8) {
            memcpy(&wide, from + i, 8);
            wide ^= four;
            memcpy(to + i, &wide, 8);
        }
        for (; i < size; i++)
            to[i] = from[i] ^ mask[i & 3];
        *made += skip + size;
        used += skip + 4 + size;
    }
    return (ssize_t)used;
}

static int send_out(int fd, size_t made)
{
    if (!connections[fd]->fan)
        return put(fd, out, made);
    for (int i = member_count - 1; i >= 0; i--)
        if (members[i] != fd && !put(members[i], out, made))
            drop(members[i]);
    return 1;
}

/* Reads what is there and acts on it. False if the connection is to be dropped. */
static int take(int fd)
{
    for (;;) {
        struct connection *from = connections[fd];
        size_t held = from->partial.length;
        if (held > BUFFER)
            return 0;
        if (held)
            memcpy(in, from->partial.at, held);
        forget(&from->partial);
        ssize_t got = read(fd, in + held, BUFFER);
        if (got < 0 && errno == EAGAIN) {
            keep(&from->partial, in, held);
            return 1;
        }
        if (got <= 0)
            return 0;
        size_t length = held + (size_t)got, made = 0;
        ssize_t used = 0;
        if (!from->upgraded) {
            used = upgrade(fd, in, length);
            if (used < 0)
                return 0;
        }
        if (from->upgraded) {
            ssize_t more = turn_around(in + used, length - (size_t)used, &made);
            if (more < 0 || (made && !send_out(fd, made)))
                return 0;
            used += more;
        }
        keep(&from->partial, in + used, length - (size_t)used);
        if (got < BUFFER)
            return 1; /* a short read: the next edge tells of more */
    }
}

static void take_all(int listener)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= FDS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[fd] = sure(calloc(1, sizeof *connections[fd]));
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_anywhere(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)
        || getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("floor");
        exit(1);
    }
    printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = listen_anywhere();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.fd = listener}};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &events[0]);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            uint32_t what = events[i].events;
            if (fd == listener)
                take_all(listener);
            else if (connections[fd]
                     && (((what & EPOLLOUT) && !put_unsent(fd))
                         || ((what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) && !take(fd))))
                drop(fd);
        }
    }
}
