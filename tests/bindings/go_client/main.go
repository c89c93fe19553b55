// SPDX-License-Identifier: Apache-2.0

// Command go_client ADDRESS[,ADDRESS] PASSWORD-FILE FOLDER
//
// What a program in Go does with Comb, by stubs made of api/ alone: logs in, puts a file, lists it, watches a folder. Then
// prints "ready", waits for a line, in which time a server may go, and does it again. See docs/languages.md.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"comb.test/client/combv1"
)

const callTimeout = 30 * time.Second

// What did not reach a server, or was told to go to another one, goes to the next address.
const serviceConfig = `{
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [{"service": "comb.v1.Tree"}, {"service": "comb.v1.Data"}, {"service": "comb.v1.Auth"}],
    "retryPolicy": {
      "maxAttempts": 5, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
}`

// uuid7 makes a request id: 48 bits of milliseconds, the rest random but for the version and the variant (RFC 9562).
func uuid7() string {
	var v [16]byte
	if _, err := rand.Read(v[6:]); err != nil {
		log.Fatal(err)
	}
	now := time.Now().UnixMilli()
	for i := range 6 {
		v[i] = byte(now >> (8 * (5 - i)))
	}
	v[6] = v[6]&0x0f | 0x70
	v[8] = v[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
}

type client struct {
	tree   combv1.TreeClient
	data   combv1.DataClient
	ctx    context.Context
	folder *combv1.NodeRef
}

// carryToken lets a call see what the ones before it saw and wrote, whichever replica answers: it carries their token
// along. For calls one after the other.
func carryToken() grpc.UnaryClientInterceptor {
	var newest []string
	return func(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		for _, token := range newest {
			ctx = metadata.AppendToOutgoingContext(ctx, "comb-token", token)
		}
		var header metadata.MD
		err := invoke(ctx, method, request, answer, conn, append(options, grpc.Header(&header))...)
		if token := header.Get("comb-token"); len(token) > 0 {
			newest = token
		}
		return err
	}
}

func dial(addresses string) (*grpc.ClientConn, error) {
	builder := manual.NewBuilderWithScheme("comb")
	var state resolver.State
	for address := range strings.SplitSeq(addresses, ",") {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	builder.InitialState(state)
	// What stands behind the slashes is the authority of all calls, which proxies want to have.
	return grpc.NewClient("comb:///comb", grpc.WithResolvers(builder), grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithUnaryInterceptor(carryToken()), grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func login(addresses, password, folder string) (*client, error) {
	conn, err := dial(addresses)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	answer, err := combv1.NewAuthClient(conn).Login(ctx,
		&combv1.AuthLoginRequest{Login: "admin", Password: password, Label: "go_client"})
	if err != nil {
		return nil, err
	}
	return &client{
		tree:   combv1.NewTreeClient(conn),
		data:   combv1.NewDataClient(conn),
		ctx:    metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+answer.Tokens.AccessToken),
		folder: &combv1.NodeRef{Path: "/personal/" + folder},
	}, nil
}

func (c *client) makeFolder(name string) error {
	ctx, cancel := context.WithTimeout(c.ctx, callTimeout)
	defer cancel()
	_, err := c.tree.CreateFolder(ctx, &combv1.TreeCreateFolderRequest{
		RequestId: uuid7(), Parent: &combv1.NodeRef{Path: "/personal"}, Name: name, ExistOk: true})
	return err
}

func (c *client) put(name, content string) (*combv1.Node, error) {
	ctx, cancel := context.WithTimeout(c.ctx, callTimeout)
	defer cancel()
	answer, err := c.data.Put(ctx, &combv1.DataPutRequest{RequestId: uuid7(), Content: []byte(content),
		Target: &combv1.UploadTarget{Parent: c.folder, Name: name}})
	return answer.GetNode(), err
}

func (c *client) names() ([]string, error) {
	ctx, cancel := context.WithTimeout(c.ctx, callTimeout)
	defer cancel()
	var names []string
	for token := ""; ; {
		page, err := c.tree.List(ctx, &combv1.TreeListRequest{Folder: c.folder, PageSize: 2, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, node := range page.Nodes {
			names = append(names, node.Name)
		}
		if token = page.NextPageToken; token == "" {
			return names, nil
		}
	}
}

// putWatched puts a file behind the snapshot of a watch, and returns when the watch has told of it.
func (c *client) putWatched(name string) error {
	ctx, cancel := context.WithTimeout(c.ctx, callTimeout)
	defer cancel()
	events, err := c.tree.Watch(ctx, &combv1.TreeWatchRequest{Folder: c.folder, Snapshot: true})
	if err != nil {
		return err
	}
	var node *combv1.Node
	for {
		event, err := events.Recv()
		switch {
		case err != nil:
			return err
		case event.GetSnapshotEnd() != nil:
			if node, err = c.put(name, "two"); err != nil {
				return err
			}
		case node == nil && event.GetPresent() == nil:
			return fmt.Errorf("a snapshot holds what there is, not %v", event)
		case node != nil && event.GetChange().GetNode().GetId() == node.Id:
			return nil
		}
	}
}

// exercise puts two files, the second one while the folder is watched; all that must be there then are wanted.
func (c *client) exercise(first, second string, wanted []string) error {
	if _, err := c.put(first, "one"); err != nil {
		return err
	}
	if err := c.putWatched(second); err != nil {
		return err
	}
	names, err := c.names()
	if err == nil && !slices.Equal(names, wanted) {
		err = fmt.Errorf("the folder holds %v, not %v", names, wanted)
	}
	return err
}

func main() {
	log.SetFlags(0)
	must := func(err error) {
		if err != nil {
			log.Fatal("go_client: ", err)
		}
	}
	password, err := os.ReadFile(os.Args[2])
	must(err)
	c, err := login(os.Args[1], strings.TrimSpace(string(password)), os.Args[3])
	must(err)
	must(c.makeFolder(os.Args[3]))
	must(c.exercise("a", "b", []string{"a", "b"}))
	fmt.Println("ready")
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	must(err)
	must(c.exercise("c", "d", []string{"a", "b", "c", "d"}))
	fmt.Println("done")
}
