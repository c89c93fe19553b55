#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# prepare.sh: run by bazel/peers.sh in a copy of this folder, before `go build`.
#
# Vault 1.21.4 was released with an sdk of its own tree, which differs from the newest one that was published before it
# in two signatures. Makes ./sdk from the published one, with these two as the release has them.
set -euo pipefail

go mod edit -dropreplace=github.com/hashicorp/vault/sdk
folder=$(go mod download -json github.com/hashicorp/vault/sdk@v0.21.0 | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp -r "$folder" sdk
chmod -R u+w sdk
go mod edit -replace=github.com/hashicorp/vault/sdk=./sdk

# One argument less than published.
sed -i '/ActivationFunc func(/s/, string) error/) error/' sdk/framework/backend.go
# One result more than published: the name of the restored policy.
locks=sdk/helper/keysutil/lock_manager.go
sed -i 's/) RestorePolicy(/) restorePublished(/' "$locks"
cat >>"$locks" <<'END'

func (lm *LockManager) RestorePolicy(ctx context.Context, storage logical.Storage, name, backup string, force bool) (string, error) {
	err := lm.restorePublished(ctx, storage, name, backup, force)
	return name, err
}
END
