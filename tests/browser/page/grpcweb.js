// SPDX-License-Identifier: Apache-2.0
// gRPC-Web in a browser, over fetch(): messages by protobuf.js, made of the .proto files that the page loads.
'use strict';

class GrpcError extends Error {
  constructor(code, message) {
    super(message || `status ${code}`);
    this.code = code;
  }
}

const FRAME_HEADER_BYTES = 5;
const FRAME_TRAILERS = 0x80;

function frame(message) {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, FRAME_HEADER_BYTES);
  return bytes;
}

// Bytes of an answer in base64, which comes in pieces that are padded on their own: four characters at a time.
class Base64Decoder {
  constructor() {
    this.rest = '';
  }

  push(bytes) {
    this.rest += new TextDecoder('ascii').decode(bytes);
    const whole = this.rest.length - (this.rest.length % 4);
    const groups = this.rest.slice(0, whole).match(/[^=]{4}|[^=]{1,3}=+/g) || [];
    this.rest = this.rest.slice(whole);
    return Uint8Array.from(groups.map(atob).join(''), (character) => character.charCodeAt(0));
  }
}

function toBase64(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) text += btoa(String.fromCharCode(...bytes.subarray(i, i + 3)));
  return text;
}

// The frames of an answer, as they come.
async function* frames(response, decoder) {
  const reader = response.body.getReader();
  let held = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const bytes = decoder ? decoder.push(value) : value;
    const joined = new Uint8Array(held.length + bytes.length);
    joined.set(held);
    joined.set(bytes, held.length);
    held = joined;
    while (held.length >= FRAME_HEADER_BYTES) {
      const length = new DataView(held.buffer, held.byteOffset).getUint32(1);
      if (held.length < FRAME_HEADER_BYTES + length) break;
      yield { flags: held[0], bytes: held.slice(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length) };
      held = held.slice(FRAME_HEADER_BYTES + length);
    }
  }
  if (held.length) throw new GrpcError(13, 'the answer ends within a message');
}

function readTrailers(bytes) {
  const lines = new TextDecoder().decode(bytes).split('\r\n').filter((line) => line);
  return new Map(lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
}

function mustBeOk(names) {
  const code = Number(names.get('grpc-status'));
  if (code) throw new GrpcError(code, decodeURIComponent(names.get('grpc-message') || ''));
}

class GrpcWebClient {
  // text: in base64 (application/grpc-web-text), as older clients do.
  constructor(base, root, text = false) {
    this.base = base;
    this.root = root;
    this.text = text;
    this.headers = {};
  }

  // The messages of an answer, one after the other; ends with a GrpcError where the status is another one than OK.
  async* stream(path, request, signal) {
    const [service, name] = path.split('/');
    const method = this.root.lookupService(service).methods[name].resolve();
    const body = frame(method.resolvedRequestType.encode(method.resolvedRequestType.fromObject(request)).finish());
    const type = this.text ? 'application/grpc-web-text' : 'application/grpc-web+proto';
    const response = await fetch(`${this.base}/${path}`, {
      method: 'POST',
      headers: { ...this.headers, 'content-type': type, accept: type, 'x-grpc-web': '1' },
      body: this.text ? toBase64(body) : body,
      signal,
    });
    if (!response.ok) throw new GrpcError(2, `HTTP ${response.status}`);
    if (response.headers.has('grpc-status')) mustBeOk(response.headers);
    // What was seen and written is seen at whichever replica answers next.
    if (response.headers.has('comb-token')) this.headers['comb-token'] = response.headers.get('comb-token');
    let trailers = null;
    for await (const { flags, bytes } of frames(response, this.text ? new Base64Decoder() : null)) {
      if (flags & FRAME_TRAILERS) trailers = readTrailers(bytes);
      else yield method.resolvedResponseType.decode(bytes);
    }
    if (trailers) mustBeOk(trailers);
    else if (!response.headers.has('grpc-status')) throw new GrpcError(13, 'the answer ends without a status');
  }

  async call(path, request) {
    let answer = null;
    for await (const message of this.stream(path, request)) answer = message;
    return answer;
  }
}
