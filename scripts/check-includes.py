#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the dependency rules of lib/README.md: who may include what, and who may call what.

    check-includes.py [ROOT]       one line per finding, exit 1 if there is any
    check-includes.py --self-test  breaks every rule once in a scratch tree and expects each finding

The three tables below are the rules. Patterns are those of the shell; * also matches slashes.
"""

import fnmatch
import pathlib
import re
import sys
import tempfile

PUBLIC = "dwconv.h dwconv_expert.h dwconv_tune.h"

# Who may include what, by the name written between the quotes. The first row that fits the file
# counts; a header beside the including file, named without folder, is always allowed.
FOLDERS = [
    # file              may include
    ("lib/dwconv.h",     ""),
    ("lib/dwconv_mpi.h", "dwconv_tune.h"),
    ("lib/dwconv_*.h",   "dwconv.h"),
    ("lib/api/*",        "dwconv.h dwconv_expert.h api/* core/* algo/oracle.h"),
    ("lib/core/*",       "dwconv.h dwconv_expert.h core/* algo/algo.h algo/algos.def "
                         "kern/kern.h kern/isas.def kern/half.h"),
    ("lib/algo/*",       "dwconv.h core/* algo/* kern/*"),
    ("lib/kern/*",       "kern/*"),
    ("lib/mpi/*",        f"{PUBLIC} dwconv_mpi.h mpi/*"),
    ("tune/*",           f"{PUBLIC} tune/*"),
    ("apps/*",           f"{PUBLIC} dwconv_mpi.h"),
    ("tests/*",          "*"),
]

# Headers of other libraries that stay in their corner, and in how many files at most.
CORNERS = [
    # header        files  where
    ("mpi.h",       None,  "lib/mpi/* lib/dwconv_mpi.h apps/team.c tests/mpi/*"),
    ("omp.h",       1,     "lib/core/threads.c"),
    ("hwloc.h",     1,     "lib/core/machine_hwloc.c"),
    ("hwloc/*",     1,     "lib/core/machine_hwloc.c"),
    ("cblas.h",     1,     "lib/algo/* lib/core/*"),
    ("cblas-*.h",   1,     "lib/algo/* lib/core/*"),
    ("jansson.h",   None,  "lib/core/wisdom_record.c apps/* tests/*"),
]

# Calls that the library (lib/ and tune/) makes in one file, or never.
CALLS = [
    # functions                                                  where
    ("getenv secure_getenv setenv putenv",                       "lib/core/env.c"),
    ("printf vprintf fprintf vfprintf dprintf puts fputs "
     "putchar putc fputc perror",                                "lib/core/log.c"),
    ("abort exit _exit _Exit quick_exit assert",                 ""),
    ("malloc calloc realloc free aligned_alloc posix_memalign",  "lib/core/memory.c"),
]

LIBRARY = "lib/* tune/*"


def fits(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns.split())


def without_comments(text):
    """The text with comments blanked, line by line as before."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    def blank(match):
        found = match.group()
        return found if found[0] in "\"'" else re.sub(r"[^\n]", " ", found)
    return token.sub(blank, text)


def check(root):
    findings = []
    users = {}  # corner header -> files that include it
    files = sorted(p for folder in ("lib", "tune", "apps", "tests") for p in (root / folder).rglob("*")
                   if p.suffix in (".c", ".h", ".def", ".inc"))
    for path in files:
        name = path.relative_to(root).as_posix()
        allowed = next((may for pattern, may in FOLDERS if fnmatch.fnmatchcase(name, pattern)), "*")
        for number, line in enumerate(without_comments(path.read_text()).split("\n"), 1):
            where = f"{name}:{number}"
            include = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if include:
                quoted, header = include.group(1) == '"', include.group(2)
                for pattern, _, corner in CORNERS:
                    if fnmatch.fnmatchcase(header, pattern):
                        users.setdefault(pattern, {})[name] = where
                        if not fits(name, corner):
                            findings.append(f"{where}: {header} may be included only in {corner}")
                        break
                else:
                    ours = quoted or (root / "lib" / header).is_file()
                    beside = "/" not in header and (path.parent / header).is_file()
                    if ours and not beside and not fits(header, allowed):
                        findings.append(f"{where}: {header} is not for {name.rsplit('/', 1)[0]}/, "
                                        f"which may include: {allowed or 'nothing'}")
                continue
            if not fits(name, LIBRARY):
                continue
            bare = re.sub(r'"(?:\\.|[^"\\])*"', '""', line)
            for call in re.findall(r"(?<![\w.>])(\w+)\s*\(", bare):
                for functions, corner in CALLS:
                    if call in functions.split() and not fits(name, corner):
                        findings.append(f"{where}: {call} may be called "
                                        + (f"only in {corner}" if corner else "nowhere in the library"))
    for pattern, most, _ in CORNERS:
        if most is not None and len(users.get(pattern, {})) > most:
            findings += [f"{where}: {pattern} may be included in {most} file only"
                         for where in users[pattern].values()]
    return len(files), findings


SELF_TEST = [
    # file, text, finding expected
    ("lib/dwconv.h", "#include <stdint.h>\n", ""),
    ("lib/dwconv_tune.h", "#include \"dwconv.h\"\n", ""),
    ("lib/dwconv_expert.h", "#include \"core/plan.h\"\n", "core/plan.h is not for lib/"),
    ("lib/core/plan.h", "/* exit() and\n printf() are words here */\nstatic_assert(1, \"abort()\");\n", ""),
    ("lib/core/log.c", "void f(void) { fprintf(stderr, \"x\"); }\n", ""),
    ("lib/core/env.c", "char *f(void) { return getenv(\"X\"); }\n", ""),
    ("lib/core/a.c", "#include \"core/plan.h\"\n#include \"kern/kern.h\"\n", ""),
    ("lib/core/b.c", "#include \"api/api.h\"\n", "api/api.h is not for lib/core/"),
    ("lib/core/c.c", "#include \"algo/direct.h\"\n", "algo/direct.h is not for lib/core/"),
    ("lib/algo/d.c", "#include \"api/api.h\"\n", "api/api.h is not for lib/algo/"),
    ("lib/kern/e.c", "#include \"core/plan.h\"\n", "core/plan.h is not for lib/kern/"),
    ("lib/kern/f.c", "#include <dwconv.h>\n", "dwconv.h is not for lib/kern/"),
    ("lib/api/g.c", "#include \"kern/kern.h\"\n", "kern/kern.h is not for lib/api/"),
    ("tune/h.c", "#include \"core/plan.h\"\n", "core/plan.h is not for tune/"),
    ("apps/i.c", "# include \"core/plan.h\"\n", "core/plan.h is not for apps/"),
    ("apps/j.c", "#include <mpi.h>\n", "mpi.h may be included only"),
    ("lib/algo/k.c", "#include <hwloc.h>\n", "hwloc.h may be included only"),
    ("lib/algo/l.c", "#include <cblas.h>\n", "cblas.h may be included in 1 file"),
    ("lib/core/m.c", "#include <cblas.h>\n", "cblas.h may be included in 1 file"),
    ("lib/core/r.c", "#include <jansson.h>\n", "jansson.h may be included only"),
    ("lib/algo/n.c", "char *p = getenv(\"X\");\n", "getenv may be called only in"),
    ("tune/o.c", "int f(void) { return puts(\"x\"); }\n", "puts may be called only in"),
    ("lib/kern/p.c", "void f(void) { assert(1); }\n", "assert may be called nowhere"),
    ("lib/api/q.c", "void f(void) { abort (); }\n", "abort may be called nowhere"),
]


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text, _ in SELF_TEST:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        _, findings = check(root)
    wrong = 0
    for name, _, expected in SELF_TEST:
        got = [f for f in findings if f.startswith(name + ":")]
        good = (len(got) == 1 and expected in got[0]) if expected else not got
        wrong += not good
        print(f"{'good ' if good else 'WRONG'} {name}: {'; '.join(got) or 'no finding'}")
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    if not (root / "lib").is_dir():
        sys.exit(f"check-includes: no lib/ in {root}")
    count, findings = check(root)
    print("\n".join(findings) if findings else f"check-includes: {count} files, no finding")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
