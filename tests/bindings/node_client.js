// SPDX-License-Identifier: Apache-2.0
// node_client.js PROTOS ADDRESS[,ADDRESS] PASSWORD-FILE FOLDER
//
// What a program for Node does with Comb, by stubs made of api/ alone (PROTOS: folders with .proto files, by commas): logs
// in, puts a file, lists it, watches a folder. Then prints "ready", waits for a line, in which time a server may go, and
// does it again. See docs/languages.md.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const readline = require('readline');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const CALL_MS = 30000;
// What did not reach a server, or was told to go to another one, goes to the next address.
const SERVICE_CONFIG = JSON.stringify({
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [{
    name: [{ service: 'comb.v1.Tree' }, { service: 'comb.v1.Data' }, { service: 'comb.v1.Auth' }],
    retryPolicy: {
      maxAttempts: 5, initialBackoff: '0.05s', maxBackoff: '1s', backoffMultiplier: 2,
      retryableStatusCodes: ['UNAVAILABLE'],
    },
  }],
});

// A request id: 48 bits of milliseconds, the rest random but for the version and the variant (RFC 9562).
function uuid7() {
  const value = crypto.randomBytes(16);
  value.writeUIntBE(Date.now(), 0, 6);
  value[6] = (value[6] & 0x0f) | 0x70;
  value[8] = (value[8] & 0x3f) | 0x80;
  return value.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function check(isTrue, what) {
  if (!isTrue) throw new Error(what);
}

class Client {
  constructor(protos, addresses) {
    const files = ['auth', 'data', 'tree'].map((name) => `comb/v1/${name}.proto`);
    const api = grpc.loadPackageDefinition(loader.loadSync(files, {
      includeDirs: protos.split(','), keepCase: true, longs: String, enums: String, oneofs: true,
    })).comb.v1;
    const make = (Service) => new Service(`ipv4:${addresses}`, grpc.credentials.createInsecure(),
      { 'grpc.service_config': SERVICE_CONFIG });
    this.auth = make(api.Auth);
    this.tree = make(api.Tree);
    this.data = make(api.Data);
    this.metadata = new grpc.Metadata();
  }

  // A call sees what the ones before it saw and wrote, whichever replica answers: it carries their token along.
  call(service, method, request) {
    return new Promise((resolve, reject) => {
      const call = service[method](request, this.metadata, { deadline: Date.now() + CALL_MS },
        (error, response) => (error ? reject(error) : resolve(response)));
      call.on('metadata', (headers) => {
        const [token] = headers.get('comb-token');
        if (token) this.metadata.set('comb-token', token);
      });
    });
  }

  async login(password) {
    const login = await this.call(this.auth, 'Login', { login: 'admin', password, label: 'node_client.js' });
    this.metadata.set('authorization', `Bearer ${login.tokens.access_token}`);
  }

  makeFolder(path) {
    return this.call(this.tree, 'CreateFolder',
      { request_id: uuid7(), parent: { path: '/personal' }, name: path, exist_ok: true });
  }

  async put(folder, name, content) {
    const target = { parent: { path: `/personal/${folder}` }, name };
    return (await this.call(this.data, 'Put', { request_id: uuid7(), target, content: Buffer.from(content) })).node;
  }

  async names(folder) {
    const names = [];
    let token = '';
    do {
      const page = await this.call(this.tree, 'List',
        { folder: { path: `/personal/${folder}` }, page_size: 2, page_token: token });
      names.push(...page.nodes.map((node) => node.name));
      token = page.next_page_token;
    } while (token);
    return names;
  }

  // What there is, then what happens.
  watch(folder) {
    return this.tree.Watch({ folder: { path: `/personal/${folder}` }, snapshot: true }, this.metadata,
      { deadline: Date.now() + CALL_MS });
  }
}

// Puts two files, the second one while the folder is watched.
async function exercise(client, folder, files) {
  await client.put(folder, files[0], 'one');
  const events = client.watch(folder);
  let node = null;
  for await (const event of events) {
    if (event.event === 'snapshot_end') {
      node = await client.put(folder, files[1], 'two');
    } else if (event.event === 'change' && node && event.change.node.id === node.id) {
      break;
    } else if (!node) {
      check(event.event === 'present', 'a snapshot holds what there is');
    }
  }
  check(node, 'the watch ended before the change came');
  const names = await client.names(folder);
  check(files.every((file) => names.includes(file)), `${files} are not all in ${names}`);
}

async function main() {
  const [protos, addresses, passwordFile, folder] = process.argv.slice(2);
  const client = new Client(protos, addresses);
  await client.login(fs.readFileSync(passwordFile, 'utf8').trim());
  await client.makeFolder(folder);
  await exercise(client, folder, ['a', 'b']);
  console.log('ready');
  const input = readline.createInterface({ input: process.stdin });
  await new Promise((resolve) => { input.once('line', resolve); });
  await exercise(client, folder, ['c', 'd']);
  check((await client.names(folder)).join() === 'a,b,c,d', 'nothing is there twice');
  console.log('done');
  process.exit(0);
}

main().catch((error) => {
  console.error(`node_client.js: ${error.message}`);
  process.exit(1);
});
