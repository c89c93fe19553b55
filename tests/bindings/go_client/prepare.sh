#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# prepare.sh SOURCE: run by bazel/peers.sh in a copy of this folder, before `go build`; SOURCE is the whole tree.
#
# Makes Go packages of api/: what a stranger does who writes in Go.
set -euo pipefail

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
GOBIN=$tools go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN=$tools go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2

target=$PWD
cd "$1/api"
# The protos name no Go package: that is the user's to say. google.rpc.Status has one in every program with gRPC.
options=(--{go,go-grpc}_opt=Mgoogle/rpc/status.proto=google.golang.org/genproto/googleapis/rpc/status)
for proto in comb/v1/*.proto google/api/*.proto; do
    package=comb.test/client/$(dirname "$proto" | tr -d /)
    options+=(--{go,go-grpc}_opt="M$proto=$package")
done
PATH=$tools:$PATH protoc -I . -I ../gen/runtime/proto --go_out="$target" --go-grpc_out="$target" \
    --{go,go-grpc}_opt=module=comb.test/client "${options[@]}" comb/v1/*.proto google/api/*.proto
