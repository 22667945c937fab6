/* A preloaded library that makes a disk slow.
 *
 * SWARM_STORE_BYTES_PER_SECOND says how fast the disk is. fsync and fdatasync of a regular file take as
 * long as such a disk needs for what was written to the file since its last sync: how far its position
 * has moved. So the rate of bytes is bounded, whatever goes into one sync, and a writer that gathers
 * more for each sync gains nothing from it but fewer syncs.
 *
 * Not covered: writes that do not move the position, and files that are written and never synced.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 4096

static off_t synced[FILES_MAX];
static double bytes_per_second;

__attribute__((constructor)) static void begin(void) {
    const char *rate = getenv("SWARM_STORE_BYTES_PER_SECOND");
    if (rate) bytes_per_second = atof(rate);
}

/* What has been written through `fd` since it was last synced. */
static off_t unsynced(int fd) {
    if (fd < 0 || fd >= FILES_MAX) return 0;
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at < 0) return 0;
    /* Another file may have had the number before. */
    off_t since = at >= synced[fd] ? at - synced[fd] : at;
    synced[fd] = at;
    return since;
}

static int slow_sync(int fd, long call) {
    off_t bytes = unsynced(fd);
    int result = (int)syscall(call, fd);
    if (bytes_per_second > 0 && bytes > 0) {
        double seconds = (double)bytes / bytes_per_second;
        struct timespec wait = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
        nanosleep(&wait, NULL);
    }
    return result;
}

int fsync(int fd) {
    return slow_sync(fd, SYS_fsync);
}

int fdatasync(int fd) {
    return slow_sync(fd, SYS_fdatasync);
}
