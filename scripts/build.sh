#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The set-up that demo.sh and test.sh share: installs what is missing, configures, builds.
#
#   scripts/build.sh [PRESET]      a preset of CMakePresets.json, default release -> build/release
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1-release}

./scripts/install-deps.sh
printf '\nbuild: configuring, preset %s\n' "$preset"
cmake --preset "$preset"
printf '\nbuild: building in build/%s\n' "$preset"
cmake --build "build/$preset" --parallel "$(nproc)"
