#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deploy_test.sh PYTHON ARGUMENT...: by the Python that has the published schemas.
python=$1
shift
exec "$python" -B bazel/deploy/deploy_test.py "$@"
