// SPDX-License-Identifier: Apache-2.0
// What a page does with Comb: logs in, lists, uploads, downloads, watches. It tells the server that it came from how it went.
'use strict';

const PROTOS = ['auth', 'data', 'tree'].map((name) => `comb/v1/${name}.proto`);
const PART_BYTES = 1 << 20;
const LARGE_BYTES = 2 * PART_BYTES + 12345;

function check(isTrue, what) {
  if (!isTrue) throw new Error(what);
}

// A request id: 48 bits of milliseconds, the rest random but for the version and the variant (RFC 9562).
function uuid7() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setBigUint64(0, (BigInt(Date.now()) << 16n) | BigInt(bytes[6] << 8 | bytes[7]));
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const text = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

// For whoever reads the log of a test that failed.
function note(text) {
  return fetch('/note', { method: 'POST', body: text });
}

async function loadProtos() {
  const root = new protobuf.Root();
  root.resolvePath = (origin, target) => `/protos/${target}`;
  return root.load(PROTOS);
}

// A name is what a field is called in the .proto, in lowerCamelCase.
async function login(client, password) {
  const answer = await client.call('comb.v1.Auth/Login', { login: 'admin', password, label: 'page' });
  client.headers.authorization = `Bearer ${answer.tokens.accessToken}`;
}

async function isRefused(client, password) {
  try {
    await login(client, password);
  } catch (error) {
    return error instanceof GrpcError && error.code === 16;
  }
  return false;
}

async function names(client) {
  const page = await client.call('comb.v1.Tree/List', { folder: { path: '/personal' }, pageSize: 1000 });
  return page.nodes.map((node) => `${node.name} ${node.size}`);
}

function put(client, name, content) {
  return client.call('comb.v1.Data/Put',
    { requestId: uuid7(), target: { parent: { path: '/personal' }, name }, content });
}

// Files of any size, from a file that somebody chose, part by part.
async function upload(client, name, blob) {
  const target = { parent: { path: '/personal' }, name };
  const started = await client.call('comb.v1.Data/StartUpload', { requestId: uuid7(), target, size: blob.size });
  for (let offset = 0; offset < blob.size; offset += PART_BYTES) {
    const content = new Uint8Array(await blob.slice(offset, offset + PART_BYTES).arrayBuffer());
    await client.call('comb.v1.Data/PutPart', { requestId: uuid7(), uploadId: started.upload.id, offset, content });
  }
  return client.call('comb.v1.Data/CommitUpload', { requestId: uuid7(), uploadId: started.upload.id });
}

async function download(client, name) {
  const chunks = [];
  for await (const message of client.stream('comb.v1.Data/Download', { node: { path: `/personal/${name}` } })) {
    if (message.part === 'chunk') chunks.push(message.chunk);
  }
  return new Blob(chunks);
}

async function digest(blob) {
  return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))).join();
}

// What there is; then a file that is put while the folder is watched.
async function watch(client, name) {
  const stop = new AbortController();
  let seen = false;
  try {
    const request = { folder: { path: '/personal' }, snapshot: true };
    for await (const message of client.stream('comb.v1.Tree/Watch', request, stop.signal)) {
      if (message.event === 'snapshotEnd') await put(client, name, new Uint8Array([1]));
      if (message.event === 'change' && message.change.node.name === name) {
        seen = true;
        stop.abort();
      }
    }
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
  }
  check(seen, 'the watch does not tell of a new file');
}

async function exercise(client, password, prefix) {
  await note(`${prefix}: log in`);
  check(await isRefused(client, 'not the password'), 'a wrong password is taken');
  await login(client, password);
  await put(client, `${prefix}-small`, new TextEncoder().encode('a few words'));
  check((await (await download(client, `${prefix}-small`)).text()) === 'a few words', 'other words come back');
  await note(`${prefix}: upload`);
  const part = crypto.getRandomValues(new Uint8Array(65536));
  const large = new Blob([...Array(Math.ceil(LARGE_BYTES / part.length)).fill(part)]).slice(0, LARGE_BYTES);
  await upload(client, `${prefix}-large`, large);
  check(await digest(await download(client, `${prefix}-large`)) === await digest(large), 'another content comes back');
  await note(`${prefix}: list and watch`);
  const listed = await names(client);
  check(listed.includes(`${prefix}-large ${LARGE_BYTES}`) && listed.includes(`${prefix}-small 11`), `the list is ${listed}`);
  await watch(client, `${prefix}-watched`);
}

async function main() {
  const { server, password } = await (await fetch('/setup')).json();
  const root = await loadProtos();
  await exercise(new GrpcWebClient(server, root), password, 'binary');
  await exercise(new GrpcWebClient(server, root, true), password, 'text');
  return 'done';
}

main().catch((error) => `${error.name} ${error.code || ''}: ${error.message}\n${error.stack}`).then((result) => {
  document.body.textContent = result;
  return fetch('/result', { method: 'POST', body: result });
});
