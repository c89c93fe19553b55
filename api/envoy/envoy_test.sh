#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# envoy_test.sh PYTHON ENVOY DESCRIPTORS: by the Python that has upstream's packages.
exec "$1" -B api/envoy/envoy_test.py "$1" "$2" "$3"
