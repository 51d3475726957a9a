#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures every layer of a file beside the machine's limits and writes the report: a table and a picture.
#
#   scripts/performance.sh [FOLDER] [SHAPES.csv]     default: tune, tune/layers.csv; takes about 13 minutes
#
# FOLDER/performance.md and FOLDER/roofline.png; the rows measured stay in build/performance. Nothing else should run on
# the machine. Needs a build with tests (scripts/build.sh) and, for the picture, matplotlib (Debian: python3-matplotlib).
set -euo pipefail

# shellcheck source=scripts/report-setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/report-setup.sh" performance "$@"

build/release/tests/api/plan_bench > "$rows/plans.csv" # first: these two are only there where the tests are built
build/release/tests/kern/order_bench > "$rows/order.csv"
bench warm --min-time 0.06 --verify
bench cold --batch 64 --cache cold --offsets 0,64 --min-time 0.003
bench cold-all --batch 64 --cache cold --offsets 0,64 --min-time 0.003 --threads "$(nproc)"
bench f64 --dtype f64 --min-time 0.03
bench warm-all --min-time 0.03 --threads "$(nproc)"
"$dwconv" info --json > "$rows/info.json"
"$python" scripts/performance.py "$rows" "$folder"
