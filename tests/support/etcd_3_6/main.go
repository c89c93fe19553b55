// SPDX-License-Identifier: Apache-2.0

// etcd 3.6, which Debian 12 does not have yet: the real server, from its published module.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
