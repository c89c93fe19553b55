#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install.sh SDK.TAR [--prefix DIR]: unpacks what is to be installed below DIR [/usr/local], or $DESTDIR/DIR for those
# who make packages. What is installed finds its other parts from where it lies: the folder may be moved.
set -euo pipefail
sdk=$1
shift
prefix=/usr/local
usage() {
    echo "usage: bazel run TARGET -- [--prefix DIR]" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
        [ $# -ge 2 ] || usage
        prefix=$2
        shift
        ;;
    --prefix=*) prefix=${1#*=} ;;
    *) usage ;;
    esac
    shift
done
case $prefix in
/*) ;;
# As whoever called `bazel run` means it.
*) prefix=${BUILD_WORKING_DIRECTORY:-$PWD}/$prefix ;;
esac
mkdir -p "${DESTDIR:-}$prefix"
tar -C "${DESTDIR:-}$prefix" --no-same-owner --no-overwrite-dir -xf "$sdk"
echo "Installed into ${DESTDIR:-}$prefix"
