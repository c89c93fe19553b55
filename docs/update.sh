#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bazel run //docs:update: makes the generated parts of the texts anew, in the tree.
set -euo pipefail
exec docs/pages.py write "${BUILD_WORKSPACE_DIRECTORY:?run it by: bazel run //docs:update}" "$@"
