#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Sets up, builds and runs the test suite; ends with CTest's summary and its exit code.
#
#   scripts/test.sh [CTEST-ARG...]          the default suite, minutes
#   scripts/test.sh long [CTEST-ARG...]     with the long campaigns as well (also: --long)
#
# For example: scripts/test.sh -L unit, scripts/test.sh long -R random.
set -euo pipefail
exec </dev/null # the same with a terminal, without one, and with standard input closed

cd "$(dirname "${BASH_SOURCE[0]}")/.."

select=(-LE long)
case "${1-}" in
long | --long) select=(); shift ;;
-h | --help) sed -n '4,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
esac

./scripts/build.sh release
printf '\n'
exec ctest --test-dir build/release --output-on-failure --no-tests=error -j2 "${select[@]}" "$@"
