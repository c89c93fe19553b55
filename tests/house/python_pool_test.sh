#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs python_pool_test.py by the Python that has upstream's packages.
exec "$1" -B tests/house/python_pool_test.py "$2" "$3"
