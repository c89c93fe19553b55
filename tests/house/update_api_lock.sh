#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# update_api_lock.sh PYTHON PROTOC: takes what is new in the .proto files over into api/api.lock.
exec "$1" -B tests/house/api_lock.py update "$2" "$BUILD_WORKSPACE_DIRECTORY" "$BUILD_WORKSPACE_DIRECTORY/api/api.lock"
