/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into the program by the tests: makes chosen calls fail, transfer less, or give wrong numbers.
 *
 *     LD_PRELOAD=fault.so DWC_TEST_FAULT=pwrite:3:28    the third pwrite fails with error 28 (ENOSPC)
 *                         DWC_TEST_FAULT=pread:0:short  every pread moves at most 7 bytes, or is interrupted
 *                         DWC_TEST_FAULT=execute:5:0    the fifth dwc_plan_execute leaves a wrong first byte
 *                         DWC_TEST_FAULT=allocate:2:1   the second dwc_allocate_coloured gives no memory
 *                         DWC_TEST_FAULT=refuse:5:1     the fifth dwc_plan_execute fails
 *                         DWC_TEST_FAULT=stall:5:1      the fifth dwc_plan_execute never ends
 *
 * Number 0 means every call. */
#define _GNU_SOURCE
#include "dwconv.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { no_fault = 0, go_short = -1 };

/* What this call of `name` shall do: no_fault, go_short, or the error number to fail with. */
static int fault(const char *name, int *calls) {
    char wanted[32] = "", what[32] = "";
    int number;
    const char *text = getenv("DWC_TEST_FAULT");
    if (!text || sscanf(text, "%31[^:]:%d:%31s", wanted, &number, what) != 3 || strcmp(wanted, name))
        return no_fault;
    ++*calls;
    if (number && *calls != number)
        return no_fault;
    if (strcmp(what, "short"))
        return atoi(what);
    if (*calls % 2)
        return EINTR;
    return go_short;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define TRANSFER(name, pointer)                                                                                        \
    ssize_t name(int fd, pointer buffer, size_t size, off_t at) {                                                      \
        static int calls;                                                                                              \
        int error = fault(#name, &calls);                                                                              \
        if (error > 0) {                                                                                               \
            errno = error;                                                                                             \
            return -1;                                                                                                 \
        }                                                                                                              \
        if (error == go_short && size > 7)                                                                             \
            size = 7;                                                                                                  \
        return REAL(name)(fd, buffer, size, at);                                                                       \
    }

TRANSFER(pread, void *)
TRANSFER(pwrite, const void *)

#define CALL(name, parameters, arguments)                                                                              \
    int name parameters {                                                                                              \
        static int calls;                                                                                              \
        int error = fault(#name, &calls);                                                                              \
        if (error > 0) {                                                                                               \
            errno = error;                                                                                             \
            return -1;                                                                                                 \
        }                                                                                                              \
        return REAL(name) arguments;                                                                                   \
    }

CALL(fsync, (int fd), (fd))
CALL(flock, (int fd, int operation), (fd, operation))
CALL(fdatasync, (int fd), (fd))
CALL(rename, (const char *from, const char *to), (from, to))
CALL(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
CALL(fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))

void *dwc_allocate_coloured(const dwc_context *context, size_t bytes, int colour) {
    static int calls;
    return fault("allocate", &calls) ? NULL : REAL(dwc_allocate_coloured)(context, bytes, colour);
}

dwc_status dwc_plan_execute(const dwc_plan *plan, const void *input, const void *packed, const void *bias, void *output,
                            void *workspace, dwc_error *error) {
    static int calls, refusals, stalls;
    dwc_plan_info info;
    if (fault("refuse", &refusals)) {
        if (error)
            *error = (dwc_error){DWC_INTERNAL_ERROR, "the kernel fails"};
        return DWC_INTERNAL_ERROR;
    }
    while (fault("stall", &stalls))
        pause();
    dwc_status status = REAL(dwc_plan_execute)(plan, input, packed, bias, output, workspace, error);
    dwc_plan_get_info(plan, &info);
    if (info.geometry.output_elements && getenv("DWC_TEST_FAULT") &&
        !strncmp(getenv("DWC_TEST_FAULT"), "execute:", 8)) {
        int number = atoi(getenv("DWC_TEST_FAULT") + 8);
        if (++calls == number || number == 0)
            ((unsigned char *)output)[info.geometry.element_bytes - 1] ^= 0x40; /* 0 becomes 2 */
    }
    return status;
}
