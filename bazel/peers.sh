#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bazel/peers.sh
#
# Installs what bazel/peers.txt lists into $COMB_PEERS (~/.cache/comb/peers), once a machine and version:
# Python packages into a virtual environment of their own, Go programs built by the Go that is one of these packages (of a
# folder of this tree: after the folder's prepare.sh), Java packages with all that they need as folders of .jar files, Node
# packages by the npm that is one of the Python packages.
# Tests reach them as @peers//:NAME (bazel/peers.bzl).
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

peers=${COMB_PEERS:-${HOME:?HOME is not set and COMB_PEERS neither}/.cache/comb/peers}
mkdir -p "$peers/installed"
exec 9>"$peers/lock"
flock 9

# mark KIND WHAT VERSION: the file whose presence says that it is installed.
mark() {
    printf '%s/installed/%s-%s-%s' "$peers" "$1" "${2//\//_}" "$3"
}

# write_pom GROUP:ARTIFACT VERSION: a project that depends on nothing else.
write_pom() {
    cat <<END
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>comb</groupId>
  <artifactId>peers</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>${1%:*}</groupId>
      <artifactId>${1#*:}</artifactId>
      <version>$2</version>
    </dependency>
  </dependencies>
</project>
END
}

# run_go ARGUMENT...: the Go that is one of the packages; what it fetches and builds stays among the peers.
run_go() {
    env GOBIN="$peers/go-bin" GOPATH="$peers/go" GOCACHE="$peers/go-build" GOTOOLCHAIN=local GOFLAGS=-buildvcs=false \
        CGO_ENABLED=0 PATH="$peers/python/bin:$PATH" "$@"
}

# build_main FOLDER NAME: builds a copy of a folder of this tree. Several minutes where nothing of it was built before.
build_main() {
    local copy=$peers/main/$2
    rm -rf "$copy"
    mkdir -p "$peers/main" "$peers/bin"
    cp -r "$COMB_SOURCE/$1" "$copy"
    (
        cd "$copy" &&
            { [ ! -x prepare.sh ] || run_go ./prepare.sh "$COMB_SOURCE"; } &&
            run_go nice go build -mod=mod -trimpath -ldflags="-s -w" -o "$copy/$2" . &&
            mv -f "$copy/$2" "$peers/bin/$2"
    )
}

log=$peers/log
installed=
while read -r kind what version name; do
    [ -e "$(mark "$kind" "$what" "$version")" ] && continue
    say "Installing $what $version into $peers"
    case $kind in
    pip)
        {
            [ -x "$peers/python/bin/pip" ] || /usr/bin/python3 -m venv "$peers/python"
            "$peers/python/bin/pip" install --disable-pip-version-check "$what==$version"
        } >"$log" 2>&1
        ;;
    go)
        # Built apart and moved: the programs of several modules are called `server`.
        name=${name:-${what##*/}}
        mkdir -p "$peers/bin" "$peers/go-bin"
        run_go go install "$what@$version" >"$log" 2>&1 &&
            mv -f "$peers/go-bin/${what##*/}" "$peers/bin/$name"
        ;;
    main)
        build_main "$what" "${what##*/}" >"$log" 2>&1
        ;;
    mvn)
        folder=$peers/java/${what#*:}
        mkdir -p "$folder"
        write_pom "$what" "$version" >"$folder/pom.xml"
        mvn -B -q -f "$folder/pom.xml" -Dmaven.repo.local="$peers/java/repository" \
            dependency:copy-dependencies -DoutputDirectory="$folder" >"$log" 2>&1
        ;;
    npm)
        mkdir -p "$peers/node"
        PATH=$peers/python/bin:$PATH npm install --prefix "$peers/node" --cache "$peers/npm-cache" --no-audit --no-fund \
            --no-update-notifier --ignore-scripts --save-exact "$what@$version" >"$log" 2>&1
        ;;
    *) die "bazel/peers.txt: what is '$kind'?" ;;
    esac || {
        tail -n 15 "$log" >&2
        die "$what $version could not be installed (see above; all of it is in $log). It comes from $(
            case $kind in
            pip) echo PyPI ;;
            go | main) echo "the Go module proxy" ;;
            mvn) echo "Maven Central" ;;
            npm) echo "the npm registry" ;;
            esac
        ): is the network there?" 2
    }
    : >"$(mark "$kind" "$what" "$version")"
    installed=1
done < <(read_list peers.txt)

# A running Bazel remembers that they were missing.
if [ -n "$installed" ] && command -v bazel >/dev/null; then
    # The server of Bazel that this may start must not keep the lock.
    (cd "$COMB_SOURCE" && bazel sync --only=peers >/dev/null 2>&1 9>&-) || true
fi
