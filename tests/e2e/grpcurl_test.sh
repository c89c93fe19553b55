#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# grpcurl, a program by others, against combd: it knows the API by reflection alone.
. tests/e2e/lib.sh

GRPCURL=$PWD/$1

# grpcurl ends with 64 and the status of the call.
UNAUTHENTICATED=80
NOT_FOUND=69
DENIED=71

# as TOKEN [ARGUMENT...]: reflection and call with the token.
as() {
    local token=$1
    shift
    "$GRPCURL" -plaintext -H "authorization: Bearer $token" "$@"
}

# reflecting TOKEN [ARGUMENT...]: reflection with the token, the call without.
reflecting() {
    local token=$1
    shift
    "$GRPCURL" -plaintext -reflect-header "authorization: Bearer $token" "$@"
}

# describe_all ADDRESS: every service, every method, every request.
describe_all() {
    local service method request
    for service in $(as "$token" "$1" list); do
        expect 0 as "$token" "$1" describe "$service"
        says "$service is a service"
        for method in $(as "$token" "$1" list "$service"); do
            expect 0 as "$token" "$1" describe "$method"
            says "is a method"
            request=$(printf '%s' "$output" | sed -n 's/^ *rpc [A-Za-z]* *( \(stream \)\?\.\([A-Za-z0-9_.]*\) ).*/\2/p')
            [ -n "$request" ] || fail "no request in: $output"
            expect 0 as "$token" "$1" describe "$request"
            says "$request is a message"
        done
    done
}

start_combd
login_admin
token=$(comb token add grpcurl --days 1 | head -n 1)

# Both ports tell what they serve, to who can log in.
for service in Auth Data Identity Permissions Tree Workspaces; do
    expect 0 as "$token" "$server" list
    says "comb.v1.$service"
done
expect 0 as "$token" "$admin" list
says comb.v1.Admin
describe_all "$server"
describe_all "$admin"
for address in "$server" "$admin"; do
    expect 1 "$GRPCURL" -plaintext "$address" list
    says Unauthenticated
    expect 1 as nonsense "$address" list
    says Unauthenticated
    expect 0 reflecting "$token" -d "{}" "$address" grpc.health.v1.Health/Check
    says SERVING
done

# A call with a token, without, and with somebody else's.
personal='{"node":{"path":"/personal"}}'
expect 0 as "$token" -d "$personal" "$server" comb.v1.Tree/Stat
says NODE_KIND_FOLDER
id=$(printf '%s' "$output" | sed -n 's/^ *"id": "\([0-9a-f-]*\)".*/\1/p')
expect "$UNAUTHENTICATED" reflecting "$token" -d "$personal" "$server" comb.v1.Tree/Stat
says "no token"
expect "$UNAUTHENTICATED" reflecting "$token" -rpc-header 'authorization: Bearer nonsense' -d "$personal" "$server" \
    comb.v1.Tree/Stat

printf 'correct horse battery\n' >"$TEST_TMPDIR/password"
expect 0 comb user add alice --password-file "$TEST_TMPDIR/password"
expect 0 comb workspace add common --default none
expect 0 comb grant /common role:everybody read
mkdir -m 700 "$TEST_TMPDIR/alice"
alice=$(
    export COMB_HOME=$TEST_TMPDIR/alice
    comb login --user alice --password-file "$TEST_TMPDIR/password" >/dev/null
    comb token add grpcurl --days 1 | head -n 1
)
expect "$NOT_FOUND" as "$alice" -d "{\"node\":{\"id\":\"$id\"}}" "$server" comb.v1.Tree/Stat
expect 0 as "$alice" -d '{"node":{"path":"/common"}}' "$server" comb.v1.Tree/Stat
request="{\"request_id\":\"$(python3 -c '
import os, time, uuid
value = (int(time.time() * 1000) << 80) | (7 << 76) | (2 << 62) | (int.from_bytes(os.urandom(7), "big"))
print(uuid.UUID(int=value))')\",\"parent\":{\"path\":\"/common\"},\"name\":\"x\"}"
expect "$DENIED" as "$alice" -d "$request" "$server" comb.v1.Tree/CreateFolder
expect "$DENIED" as "$alice" -d "{}" "$admin" comb.v1.Admin/Info
expect 0 as "$token" -d "{}" "$admin" comb.v1.Admin/Info
says sqlite

# Channelz: of the whole process, on the administration's side, for administrators.
expect 0 as "$token" -d '{}' "$admin" grpc.channelz.v1.Channelz/GetServers
says '"callsStarted"'
id=$(printf '%s' "$output" | sed -n '0,/"serverId"/s/^ *"serverId": "\([0-9]*\)".*/\1/p')
expect 0 as "$token" -d "{\"server_id\":$id}" "$admin" grpc.channelz.v1.Channelz/GetServer
says "\"serverId\": \"$id\""
expect "$NOT_FOUND" as "$token" -d '{"server_id":999999}' "$admin" grpc.channelz.v1.Channelz/GetServer
expect "$DENIED" as "$alice" -d '{}' "$admin" grpc.channelz.v1.Channelz/GetServers
expect 0 as "$token" "$server" list
case $output in *channelz*) fail "channelz is served to everybody" ;; esac
stop_combd
echo passed
