#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# api_lock_test.sh PYTHON PROTOC TREE: nothing of api/api.lock was taken back, and all that is new is in it.
exec "$1" -B tests/house/api_lock.py test "$2" "$3" "$3/api/api.lock"
