// SPDX-License-Identifier: Apache-2.0

// Vault's own core behind its own HTTP handler, with the engines and the log-in that Comb uses: KV version 2 and AppRole.
// The whole program takes four times as long to build.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

// registry tells the core which engines are built in: these and no other.
type registry map[string]logical.Factory

func (r registry) Contains(name string, _ consts.PluginType) bool {
	return r[name] != nil
}

func (r registry) Get(name string, _ consts.PluginType) (func() (interface{}, error), bool) {
	factory := r[name]
	return func() (interface{}, error) { return factory, nil }, factory != nil
}

func (r registry) Keys(consts.PluginType) []string {
	return nil
}

func (r registry) DeprecationStatus(name string, _ consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r[name] != nil
}

func (r registry) IsBuiltinEntPlugin(string, consts.PluginType) bool {
	return false
}

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "127.0.0.1:8200", "`address` to serve HTTP, or HTTPS with -cert, at")
	dir := flag.String("dir", "", "`folder` for the data, which outlive the process")
	cert := flag.String("cert", "", "PEM `file` with the certificate")
	key := flag.String("key", "", "PEM `file` with the certificate's key")
	flag.Parse()

	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn})
	storage, err := file.NewFileBackend(map[string]string{"path": *dir}, logger)
	if err != nil {
		log.Fatal(err)
	}
	engines := registry{"kv": kv.Factory, "approle": approle.Factory}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		Logger:             logger,
		DisableMlock:       true,
		RedirectAddr:       "http://" + *listen,
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
		BuiltinRegistry:    engines,
	})
	if err != nil {
		log.Fatal(err)
	}
	socket, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{
		Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
			Core:                  core,
			ListenerConfig:        &configutil.Listener{},
			DisablePrintableCheck: true,
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	if *cert != "" {
		err = server.ServeTLS(socket, *cert, *key)
	} else {
		err = server.Serve(socket)
	}
	log.Fatal(err)
}
