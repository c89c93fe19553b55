module comb/vault_slim

go 1.25

require (
	github.com/hashicorp/vault v1.21.4
	github.com/hashicorp/vault/sdk v0.21.0
)

// Vault's release is built with an sdk of its own tree; prepare.sh makes it from the published one.
replace github.com/hashicorp/vault/sdk => ./sdk

// The original is gone from GitHub; Vault's own go.mod names this one, too.
replace github.com/99designs/keyring => github.com/Jeffail/keyring v1.2.3
