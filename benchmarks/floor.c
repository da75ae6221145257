/*
 * The floor: the same system calls without any language around them. Answers the request `block` of requests.ts; which
 * calls, and in which directory, are its arguments.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX 100000

static char own[4096], path[4096];

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void must(int result, const char *what)
{
    if (result >= 0)
        return;
    perror(what);
    exit(1);
}

static void four_calls(void)
{
    int fd = open(own, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    must(fd, "open");
    must(close(fd), "close");
    must(link(own, path), "link");
    must(unlink(path), "unlink");
    must(unlink(own), "unlink");
}

static void flock_calls(void)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    must(fd, "open");
    must(flock(fd, LOCK_EX | LOCK_NB), "flock");
    must(flock(fd, LOCK_UN), "flock");
    must(close(fd), "close");
}

static double number_after(const char *line, const char *key)
{
    const char *found = strstr(line, key);
    return found == NULL ? 0 : atof(found + strlen(key));
}

int main(int argc, char **argv)
{
    static double samples_us[SAMPLES_MAX];
    char line[4096];
    if (argc != 3)
        return 64;
    void (*cycle)(void) = strcmp(argv[1], "c-flock") == 0 ? flock_calls : four_calls;
    snprintf(own, sizeof own, "%s/own", argv[2]);
    snprintf(path, sizeof path, "%s/lock", argv[2]);
    while (fgets(line, sizeof line, stdin) != NULL) {
        double end = now_us() + number_after(line, "\"forMs\":") * 1000;
        int most = number_after(line, "\"most\":"), count = 0;
        if (most > SAMPLES_MAX)
            most = SAMPLES_MAX;
        do {
            double before = now_us();
            cycle();
            samples_us[count++] = now_us() - before;
        } while (count < most && now_us() < end);
        printf("{\"value\":[");
        for (int i = 0; i < count; i++)
            printf(i == 0 ? "%.2f" : ",%.2f", samples_us[i]);
        printf("]}\n");
        fflush(stdout);
    }
    return 0;
}
