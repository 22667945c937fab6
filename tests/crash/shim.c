/* A preloaded library that remembers how to take back what was never synced.
 *
 * It watches the regular files of one folder. Before each change of such a file it appends to an undo
 * log what the change replaces; a successful fsync or fdatasync empties that log. For names it records
 * which files were created or renamed, until their folder (for created ones: or they themselves) was
 * synced. The test that killed the process then undoes all that is left, newest first: the folder looks
 * as it would after a power cut in which nothing unsynced had reached the disk.
 *
 * Side files, all in native byte order:
 *   INODE.undo  u64 start, u64 0, then from `start` on records of
 *               u64 old size, u64 offset, u64 length, u64 kept, `kept` bytes; the rest up to length is 0
 *   names       records of 1040 bytes: u64 live, char kind ('c' created, 'r' renamed) padded to 8,
 *               char from[512], char to[512]; INDEX.kept is what the rename at that index replaced
 *
 * Each sync can be made to take longer, as on a slow disk: what is answered before its sync is then
 * answered well before it.
 *
 * Not covered: removed files stay removed, new folders stay, and calls that bypass libc are not seen.
 * What it could not undo (shared writable mappings, copy_file_range, fallocate) ends the process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEADER 16
#define FILES_MAX 65536
#define NAME_MAX_BYTES 512

struct file {
    ino_t ino;
    int seen;
    int watched;
    int log;
    uint64_t end;
};

struct name_record {
    uint64_t live;
    char kind[8];
    char from[NAME_MAX_BYTES];
    char to[NAME_MAX_BYTES];
};

struct name {
    int live;
    char kind;
    ino_t parent;
    ino_t ino;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[FILES_MAX];
static struct name *names;
static size_t names_count;
static int names_log = -1;
static char data[PATH_MAX];
static char side[PATH_MAX];
static dev_t device;
static int enabled;
static useconds_t sync_delay_us;

static void die(const char *what) {
    dprintf(2, "crash-test shim: %s: %s\n", what, strerror(errno));
    abort();
}

static ssize_t raw_pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return syscall(SYS_pwrite64, fd, bytes, length, at);
}

static void put(int fd, const void *bytes, size_t length, off_t at) {
    if (raw_pwrite(fd, bytes, length, at) != (ssize_t)length) die("side file");
}

static int raw_open(const char *path, int flags, mode_t mode) {
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

__attribute__((constructor)) static void begin(void) {
    const char *data_folder = getenv("CRASH_SHIM_DATA");
    const char *side_folder = getenv("CRASH_SHIM_SIDE");
    struct stat status;
    if (!data_folder || !side_folder) return;
    if (!realpath(data_folder, data) || !realpath(side_folder, side)) die("folders");
    if (stat(data, &status)) die(data);
    device = status.st_dev;
    const char *delay = getenv("CRASH_SHIM_SYNC_DELAY_US");
    if (delay) sync_delay_us = (useconds_t)atoi(delay);
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/names", side);
    names_log = raw_open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (names_log < 0) die(path);
    enabled = 1;
}

static int is_below(const char *path) {
    size_t length = strlen(data);
    return strncmp(path, data, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* The slot of an inode; under the lock. */
static struct file *slot(ino_t ino) {
    size_t at = (ino * 0x9E3779B97F4A7C15ull) % FILES_MAX;
    for (size_t tried = 0; tried < FILES_MAX; tried++, at = (at + 1) % FILES_MAX) {
        if (!files[at].seen || files[at].ino == ino) return &files[at];
    }
    errno = ENOSPC;
    die("too many files");
    return NULL;
}

static void open_log(struct file *file) {
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%llu.undo", side, (unsigned long long)file->ino);
    file->log = raw_open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file->log < 0) die(path);
    uint64_t header[2] = {HEADER, 0};
    put(file->log, header, sizeof header, 0);
    file->end = HEADER;
}

/* The watched file behind a descriptor, or NULL; under the lock. */
static struct file *find(int fd, struct stat *status) {
    if (!enabled || fstat(fd, status) || status->st_dev != device) return NULL;
    if (!S_ISREG(status->st_mode)) return NULL;
    struct file *file = slot(status->st_ino);
    if (!file->seen) {
        char link[64], target[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length < 0) die(link);
        target[length] = 0;
        file->seen = 1;
        file->ino = status->st_ino;
        file->watched = is_below(target);
        if (file->watched) open_log(file);
    }
    return file->watched ? file : NULL;
}

/* Appends what [offset, offset + length) holds now; under the lock. */
static void remember(struct file *file, int fd, off_t size, off_t offset, size_t length) {
    size_t present = offset >= size ? 0 : (size_t)(size - offset);
    if (present > length) present = length;
    char *before = malloc(present ? present : 1);
    /* The descriptor may be open for writing only. */
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reader = present ? raw_open(path, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (!before || (present && reader < 0)) die("reading back");
    for (size_t done = 0; done < present;) {
        ssize_t got = pread(reader, before + done, present - done, offset + (off_t)done);
        if (got <= 0) die("reading back");
        done += (size_t)got;
    }
    if (reader >= 0) close(reader);
    size_t kept = present;
    while (kept && before[kept - 1] == 0) kept--;
    uint64_t head[4] = {(uint64_t)size, (uint64_t)offset, present, kept};
    /* One call, the head first: a kill in the middle leaves a record that is cut short, never one
     * that says something else. */
    struct iovec parts[2] = {{head, sizeof head}, {before, kept}};
    ssize_t length_put = syscall(SYS_pwritev, file->log, parts, 2, file->end, 0);
    if (length_put != (ssize_t)(sizeof head + kept)) die("undo log");
    file->end += sizeof head + kept;
    free(before);
}

static off_t position(int fd, off_t size) {
    if (fcntl(fd, F_GETFL) & O_APPEND) return size;
    return lseek(fd, 0, SEEK_CUR);
}

static size_t total(const struct iovec *parts, int count) {
    size_t sum = 0;
    for (int i = 0; i < count; i++) sum += parts[i].iov_len;
    return sum;
}

/* Takes the lock if the file is watched and remembers the range; offset -1 stands for the position. */
static int before_write(int fd, off_t offset, size_t length) {
    struct stat status;
    if (!enabled) return 0;
    pthread_mutex_lock(&lock);
    struct file *file = find(fd, &status);
    if (!file) {
        pthread_mutex_unlock(&lock);
        return 0;
    }
    if (offset < 0) offset = position(fd, status.st_size);
    remember(file, fd, status.st_size, offset, length);
    return 1;
}

static void after_write(int locked) {
    int saved = errno;
    if (locked) pthread_mutex_unlock(&lock);
    errno = saved;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    int locked = before_write(fd, -1, length);
    ssize_t result = syscall(SYS_write, fd, bytes, length);
    after_write(locked);
    return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    int locked = before_write(fd, -1, total(parts, count));
    ssize_t result = syscall(SYS_writev, fd, parts, count);
    after_write(locked);
    return result;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    int locked = before_write(fd, at, length);
    ssize_t result = raw_pwrite(fd, bytes, length, at);
    after_write(locked);
    return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return pwrite64(fd, bytes, length, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    int locked = before_write(fd, at, total(parts, count));
    ssize_t result = syscall(SYS_pwritev, fd, parts, count, at, 0);
    after_write(locked);
    return result;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    return pwritev64(fd, parts, count, at);
}

int ftruncate64(int fd, off64_t size) {
    struct stat status;
    pthread_mutex_lock(&lock);
    struct file *file = find(fd, &status);
    if (file) {
        size_t cut = size < status.st_size ? (size_t)(status.st_size - size) : 0;
        remember(file, fd, status.st_size, size, cut);
    }
    int result = (int)syscall(SYS_ftruncate, fd, size);
    after_write(1);
    return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* Marks the names that a sync made durable, of those recorded before it; under the lock. */
static void settle_names(size_t before, ino_t synced, int is_folder) {
    const uint64_t dead = 0;
    for (size_t i = 0; i < before; i++) {
        int covered = is_folder ? names[i].parent == synced
                                : names[i].kind == 'c' && names[i].ino == synced;
        if (!names[i].live || !covered) continue;
        names[i].live = 0;
        put(names_log, &dead, sizeof dead, (off_t)(i * sizeof(struct name_record)));
    }
}

static int synced(long call, int fd) {
    struct stat status;
    if (enabled && sync_delay_us) usleep(sync_delay_us);
    pthread_mutex_lock(&lock);
    struct file *file = find(fd, &status);
    uint64_t mark = file ? file->end : 0;
    size_t names_mark = names_count;
    int is_folder = enabled && !file && !fstat(fd, &status) && S_ISDIR(status.st_mode);
    pthread_mutex_unlock(&lock);
    int result = (int)syscall(call, fd);
    if (result || (!file && !is_folder)) return result;
    pthread_mutex_lock(&lock);
    if (file) {
        put(file->log, &mark, sizeof mark, 0);
        if (mark == file->end) {
            const uint64_t start = HEADER;
            if (syscall(SYS_ftruncate, file->log, HEADER)) die("undo log");
            put(file->log, &start, sizeof start, 0);
            file->end = HEADER;
        }
    }
    settle_names(names_mark, status.st_ino, is_folder);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) { return synced(SYS_fsync, fd); }

int fdatasync(int fd) { return synced(SYS_fdatasync, fd); }

static ino_t parent_of(const char *path) {
    char folder[PATH_MAX];
    struct stat status;
    snprintf(folder, sizeof folder, "%s", path);
    char *last = strrchr(folder, '/');
    if (last) *last = 0;
    return stat(last ? folder : ".", &status) ? 0 : status.st_ino;
}

/* An absolute path without resolving its last part; 0 if it lies elsewhere. */
static int below(const char *path, char *absolute) {
    char folder[PATH_MAX], resolved[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *last = strrchr(folder, '/');
    const char *name = last ? path + (last - folder) + 1 : path;
    if (last) *last = 0;
    if (!realpath(last ? (*folder ? folder : "/") : ".", resolved) || !is_below(resolved)) return 0;
    int length = snprintf(absolute, NAME_MAX_BYTES, "%s/%s", resolved, name);
    if (length >= NAME_MAX_BYTES) {
        errno = ENAMETOOLONG;
        die(path);
    }
    return 1;
}

/* Under the lock. */
static void record_name(char kind, const char *from, const char *to, ino_t ino) {
    struct name_record record = {.live = 1, .kind = {kind}};
    snprintf(record.from, sizeof record.from, "%s", from);
    snprintf(record.to, sizeof record.to, "%s", to);
    names = realloc(names, (names_count + 1) * sizeof *names);
    if (!names) die("names");
    names[names_count] = (struct name){1, kind, parent_of(*to ? to : from), ino};
    put(names_log, &record, sizeof record, (off_t)(names_count * sizeof record));
    names_count++;
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    char absolute[NAME_MAX_BYTES];
    struct stat status;
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    int plain = folder == AT_FDCWD || path[0] == '/';
    if (!enabled || !writes || (flags & O_TMPFILE) == O_TMPFILE || !plain || !below(path, absolute)) {
        return (int)syscall(SYS_openat, folder, path, flags, mode);
    }
    pthread_mutex_lock(&lock);
    int existed = !lstat(absolute, &status);
    int fd = raw_open(path, flags & ~O_TRUNC, mode);
    int saved = errno;
    if (fd >= 0 && !existed && !fstat(fd, &status)) {
        struct file *file = slot(status.st_ino);
        if (file->seen && file->watched) {
            close(file->log); /* the number of a removed file, used again */
            open_log(file);
        }
        record_name('c', absolute, "", status.st_ino);
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
    if (fd >= 0 && existed && (flags & O_TRUNC) && ftruncate64(fd, 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static mode_t mode_of(int flags, va_list rest) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                             \
    int name(const char *path, int flags, ...) {               \
        va_list rest;                                          \
        va_start(rest, flags);                                 \
        mode_t mode = mode_of(flags, rest);                    \
        va_end(rest);                                          \
        return opened(AT_FDCWD, path, flags, mode);            \
    }
#define OPENAT(name)                                           \
    int name(int folder, const char *path, int flags, ...) {   \
        va_list rest;                                          \
        va_start(rest, flags);                                 \
        mode_t mode = mode_of(flags, rest);                    \
        va_end(rest);                                          \
        return opened(folder, path, flags, mode);              \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int rename(const char *from, const char *to) {
    char old[NAME_MAX_BYTES], new[NAME_MAX_BYTES], kept[PATH_MAX + 32];
    struct stat status;
    if (!enabled || !below(from, old) || !below(to, new)) {
        return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    }
    pthread_mutex_lock(&lock);
    snprintf(kept, sizeof kept, "%s/%zu.kept", side, names_count);
    if (!lstat(new, &status) && S_ISREG(status.st_mode) && link(new, kept)) die(kept);
    int result = (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    if (result == 0) {
        record_name('r', old, new, 0);
    } else {
        unlink(kept);
    }
    after_write(1);
    return result;
}

/* What cannot be undone must not happen unnoticed. */
static void refuse(int fd, const char *what) {
    struct stat status;
    pthread_mutex_lock(&lock);
    struct file *file = find(fd, &status);
    pthread_mutex_unlock(&lock);
    if (file) {
        errno = ENOTSUP;
        die(what);
    }
}

void *mmap64(void *at, size_t length, int prot, int flags, int fd, off64_t offset) {
    if (enabled && fd >= 0 && (prot & PROT_WRITE) && (flags & MAP_SHARED)) refuse(fd, "mmap");
    return (void *)syscall(SYS_mmap, at, length, prot, flags, fd, offset);
}

void *mmap(void *at, size_t length, int prot, int flags, int fd, off_t offset) {
    return mmap64(at, length, prot, flags, fd, offset);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    refuse(fd, "fallocate");
    return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    refuse(fd, "posix_fallocate");
    return syscall(SYS_fallocate, fd, 0, offset, length) ? errno : 0;
}

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length,
                        unsigned flags) {
    refuse(out, "copy_file_range");
    return syscall(SYS_copy_file_range, in, in_at, out, out_at, length, flags);
}
