# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of this folder whose stores are behind TLS, behind lib.sh: certificates in the current folder, and
# a front that speaks TLS for a server that does not.

# authority NAME: NAME.pem and NAME.key.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.pem" -days 2 \
        -subj "/CN=$1" -addext basicConstraints=critical,CA:TRUE 2>/dev/null
}

# certificate NAME FROM TO: for 127.0.0.1, signed by "known", valid from FROM to TO (YYYYMMDD).
certificate() {
    mkdir -p "$1"
    cat >"$1/conf" <<END
[ca]
default_ca = only
[only]
dir = $PWD/$1
database = $PWD/$1/index
new_certs_dir = $PWD/$1
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
END
    : >"$1/index"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1/key.pem" -out "$1/request.pem" \
        -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1,DNS:localhost 2>/dev/null
    openssl ca -batch -notext -config "$1/conf" -cert known.pem -keyfile known.key -in "$1/request.pem" -out "$1/cert.pem" \
        -startdate "${2}000000Z" -enddate "${3}000000Z" 2>"$1/log" || fail "openssl: $(cat "$1/log")"
    chmod 600 "$1/key.pem"
}

# certificates: the authorities "known" and "unknown"; of the former, "good" and "expired".
certificates() {
    authority known
    authority unknown
    certificate good "$(date -u -d yesterday +%Y%m%d)" "$(date -u -d tomorrow +%Y%m%d)"
    certificate expired 20200101 20200102
}

# front NAME PORT: speaks TLS with NAME's certificate, on a port that it puts into $front_port, for the server at PORT.
# Its process is $!.
front() {
    rm -f front.port
    /usr/bin/python3 -c 'import os, socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/cert.pem", sys.argv[1] + "/key.pem")
door = socket.create_server(("127.0.0.1", 0))
with open("front.new", "w") as file:
    file.write(str(door.getsockname()[1]))
os.rename("front.new", "front.port")


def carry(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in source, target:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(peer):
    try:
        inside = context.wrap_socket(peer, server_side=True)
        server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    except OSError:
        return
    threading.Thread(target=carry, args=(server, inside), daemon=True).start()
    carry(inside, server)


while True:
    threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()' "$@" &
    disown
    local waited=0
    until [ -s front.port ]; do
        [ "$waited" -lt 600 ] || fail "no front"
        sleep 0.1
        waited=$((waited + 1))
    done
    front_port=$(cat front.port)
}
