#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# cluster_test.sh TREE COMBD EXTRACT COMB FAULTPROXY DESCRIPTORS: bazel/cluster with real stores, three replicas and Envoy. What goes
# in comes out, by the SDK, by Envoy, by REST and by gRPC-Web; a killed, a cut off and a leaving replica are not noticed.
set -euo pipefail

# shellcheck source=tests/run/cluster.sh
. tests/run/cluster.sh

# eventually COMMAND...: until it succeeds, for a minute.
eventually() {
    local i
    for i in $(seq 300); do
        ! "$@" || return 0
        sleep 0.2
    done
    fail "$* does not come true ($i times)"
}
by_envoy() { COMB_HOME=$dir/client-envoy COMB_PIN=1 "$comb" "$@"; }

start_cluster
[ "$(stat -c %a "$dir/admin")" = 600 ] || fail "the password is open to others"

# In by Envoy, out by the SDK.
mkdir -p source/sub
for i in $(seq 30); do echo "$i" >"source/sub/file $i"; done
head -c 3000000 /dev/urandom >source/big
by_envoy import source /personal/source >report || fail "import by Envoy"
by_sdk get -r /personal/source copy >/dev/null || fail "get by the SDK"
diff -r source copy || fail "what came back is not what was sent"

# Nobody notices a killed replica, nor one that reaches no PostgreSQL.
serves() {
    local i
    for i in 1 2 3; do
        by_envoy ls /personal/source >/dev/null || fail "$1: ls by Envoy"
        by_sdk ls /personal/source >/dev/null || fail "$1: ls by the SDK"
        by_envoy mkdir "/personal/$1 $i by Envoy" || fail "$1: mkdir by Envoy"
        by_sdk mkdir "/personal/$1 $i by the SDK" || fail "$1: mkdir by the SDK"
    done
}
cluster break kill replica1
serves "one killed"
cluster break cut replica2 postgres
serves "one killed, one cut off"
cluster status
grep -q '^replica1  *dead' said || fail "status does not say who is dead: $(cat said)"
grep -q '^replica2:postgres .* cut up cut down$' said || fail "status does not say what is cut: $(cat said)"
cluster break heal
cluster status
! grep -qE ' (dead|paused) | cut ' said || fail "not healed: $(cat said)"

# REST, by curl alone.
base=http://127.0.0.1:$(cat "$dir/envoy/port")
uuid() { python3 -c 'import os, time, uuid
print(uuid.UUID(int=int(time.time() * 1000) << 80 | 7 << 76 | 2 << 62 | int.from_bytes(os.urandom(6), "big")))'; }
member() { python3 -c 'import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]:
    value = value[int(name) if isinstance(value, list) else name]
print(value)' "$@"; }
rest() { curl -sS --max-time 60 -H "authorization: Bearer $token" -d "$2" "$base$1"; }
token=
token=$(rest /v1/auth:login '{"login": "admin", "password": "'"$(cat "$dir/admin")"'"}' | member tokens accessToken) || fail "log-in by REST"
content=$(head -c 100000 source/big | base64 -w 0)
printf '{"requestId": "%s", "target": {"parent": {"path": "/personal"}, "name": "rest"}, "content": "%s"}' "$(uuid)" "$content" >body
[ "$(rest /v1/data:put @body | member node size)" = 100000 ] || fail "upload by REST"
[ "$(rest /v1/tree:list '{"folder": {"path": "/personal"}, "pageSize": 1000}' | grep -c '"path":"/personal/rest"')" = 1 ] || fail "list by REST"
rest /v1/data:download '{"node": {"path": "/personal/rest"}}' | member 1 chunk >downloaded || fail "download by REST"
[ "$(cat downloaded)" = "$content" ] || fail "another content by REST"
code() { curl -sS --max-time 60 -o answer -w '%{http_code}' "$@"; }
[ "$(code "$base/v1/users/nobody" -H "authorization: Bearer $token")" = 404 ] || fail "an unknown user by REST"
grep -q USER_NOT_FOUND answer || fail "an error by REST has no reason: $(cat answer)"
[ "$(code "$base/nothing")" = 404 ] || fail "an unknown path is not refused"
[ "$(code "$base/comb.v1.Admin/Info" -X POST -d '{}')" = 404 ] || fail "Admin is not refused"
head -c 2000000 source/big | base64 -w 0 >body
[ "$(code "$base/v1/data:put" -d @body)" != 200 ] || fail "a request that is too large is taken"

# gRPC-Web: an empty message out; a frame of data, and one of trailers that say that all is well.
printf '\0\0\0\0\0' | code "$base/comb.v1.Auth/WhoAmI" -H "authorization: Bearer $token" \
    -H 'content-type: application/grpc-web+proto' --data-binary @- >/dev/null || fail "gRPC-Web"
grep -qa 'admin' answer || fail "WhoAmI by gRPC-Web"
grep -qa 'grpc-status:0' answer || fail "no trailers by gRPC-Web"

# A replica leaves, and one comes; nothing of what it had on disk is missed.
# What all replicas and stores do, on one screen and for programs.
shows_three() { by_sdk cluster top --once >top && [ "$(grep -c ' serves ' top)" = 3 ]; }
eventually shows_three
grep -qE '^sql +PostgreSQL .* 3 of 3 ' top || fail "top does not show the stores: $(cat top)"
by_sdk -o json cluster top --once >top || fail "cluster top as JSON"
[ "$(member replicas <top | grep -o "'answers': True" | wc -l)" -ge 3 ] || fail "top as JSON: $(cat top)"

members() { [ "$(by_sdk registry ls | grep -c '^comb ')" = "$1" ]; }
eventually members 3
cluster scale 2
[ ! -e "$dir/replica3" ] || fail "replica3 is still there"
eventually members 2
rm -rf "$dir/replica2/home"
cluster scale 3
eventually members 3
serves "scaled"
! bazel/cluster --dir "$dir" break kill replica9 >said 2>&1 || fail "a part that is none is killed"

end_cluster
[ ! -s "$dir/replica1/pid" ] || fail "replica1 is still remembered"
echo passed
