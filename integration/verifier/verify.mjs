// Verifies SendPromptly's proofs on nothing but WebCrypto, by docs/proof-format.md alone: in Node 18 or later and in browsers.
//
//   import { verify } from "./verify.mjs";
//   const { valid, reasons, claims } = await verify(text, { jwks, issuer, incident, at });
//
// text is a token, a link or a bundle. jwks is the key set that you trust, key the thumbprint of the one key that you trust;
// issuer and incident are what you expect, at is a Date (default: now). Nothing is fetched.
const { subtle } = globalThis.crypto ?? (await import("node:crypto")).webcrypto;
const utf8 = (text) => new TextEncoder().encode(text);
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const sha256 = async (...parts) => new Uint8Array(await subtle.digest("SHA-256", join(...parts)));
const refuse = (reason) => { throw Object.assign(new Error(reason), { reason }); };
const must = (holds) => holds || refuse("malformed");

const encode64 = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
function decode64(encoded) {
  must(typeof encoded === "string" && /^[A-Za-z0-9_-]+$/.test(encoded));
  const bytes = Uint8Array.from(atob(encoded.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  return must(encode64(bytes) === encoded) && bytes;
}

// canonical writes a value in its one spelling; parse reads an object in it.
function canonical(value) {
  if (typeof value === "string") return must(!/\p{Surrogate}/u.test(value)) && JSON.stringify(value);
  if (typeof value === "number") return must(Number.isSafeInteger(value) && value >= 0) && String(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  must(typeof value === "object" && value !== null);
  return `{${Object.keys(value).sort().map((name) => `${canonical(name)}:${canonical(value[name])}`).join(",")}}`;
}
function parse(json, shape) {
  const value = JSON.parse(json);
  return must(canonical(value) === json && shape(value)) && value;
}

// What values must look like. A member whose name ends with ? may be absent.
const exactly = (want) => (value) => value === want;
const string = (pattern = /^/) => (value) => typeof value === "string" && pattern.test(value);
const whole = (least, most) => (value) => Number.isSafeInteger(value) && value >= least && value <= most;
const bytes = (size) => (value) => decode64(value).length === size;
const list = (item) => (value) => Array.isArray(value) && value.every(item);
const object = (shape) => (value) => {
  const names = Object.keys(shape).map((name) => name.replace("?", ""));
  return typeof value === "object" && Object.keys(value).every((name) => names.includes(name)) &&
    Object.entries(shape).every(([name, check]) => Object.hasOwn(value, name.replace("?", "")) ? check(value[name.replace("?", "")]) : name.endsWith("?"));
};
const some = string(/[^]/), uuid = string(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/), time = whole(1, 253402300799), seq = whole(1, 2 ** 31 - 1);
const header = object({ alg: exactly("EdDSA"), kid: bytes(32), typ: exactly("sendpromptly-proof+jwt") });
const claimsShape = object({ aud: exactly("sendpromptly-proof"), exp: time, head: object({ hash: bytes(32), seq }), iat: time, iss: string(/^[!#-[\]-~]{1,2048}$/), jti: uuid, sub: uuid });
const jwkShape = object({ alg: exactly("EdDSA"), crv: exactly("Ed25519"), kid: bytes(32), kty: exactly("OKP"), use: exactly("sig"), x: bytes(32) });
const hidden = object({ commitment: bytes(32), name: some });
const disclosed = object({ name: some, salt: bytes(32), value: string() });
const objects = object({ name: exactly("objects"), salt: bytes(32), value: list(string()) });
const field = (f) => hidden(f) || (f.name === "objects" ? objects(f) : disclosed(f));
const entry = object({ at: whole(0, 2 ** 53 - 1), "cause?": some, fields: list(field), hash: bytes(32), kind: some, seq, "state?": some });
const bundleShape = object({ effect: object({ "event_type?": some, id: some, provider: some, type: some }), entries: list(entry),
  format: exactly("sendpromptly.bundle.v1"), jwks: object({ keys: (keys) => list(jwkShape)(keys) && keys.length === 1 }), token: string() });

function parseToken(token) {
  const segments = token.split(".");
  must(utf8(token).length <= 8192 && segments.length === 3);
  const [head, payload] = segments.slice(0, 2).map((s) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(decode64(s)));
  const { kid } = parse(head, header), claims = parse(payload, claimsShape), signature = decode64(segments[2]);
  must(signature.length === 64 && claims.exp > claims.iat && claims.exp - claims.iat <= 90 * 86400);
  return { kid, claims, signature, input: utf8(`${segments[0]}.${segments[1]}`) };
}

const thumbprint = async ({ x }) => encode64(await sha256(utf8(canonical({ crv: "Ed25519", kty: "OKP", x }))));
async function checkSignature({ signature, input }, { x }) {
  const key = await subtle.importKey("jwk", { kty: "OKP", crv: "Ed25519", x }, { name: "Ed25519" }, false, ["verify"]);
  if (!(await subtle.verify("Ed25519", key, signature, input))) refuse("bad_signature");
}

const size = (n) => new Uint8Array([n >>> 24, n >>> 16, n >>> 8, n]);
const prefixed = (value) => join(size(value.length), value);
const optional = (value) => (value === undefined || value === "" ? size(0xffffffff) : prefixed(utf8(String(value))));
const commitmentOf = async ({ name, commitment, salt, value }) => commitment ? decode64(commitment)
  : sha256(decode64(salt), ...(name === "objects" ? value.map((item) => prefixed(utf8(item))) : [utf8(value)]));

// entryHash computes the hash of a bundle's entry from that of the entry before.
export async function entryHash(previous, effect, e) {
  const parts = ["sendpromptly.entry.v1", e.seq, e.kind, e.at, e.state, e.cause, effect.provider, effect.event_type, effect.type, effect.id].map(optional);
  for (const f of e.fields) parts.push(prefixed(utf8(f.name)), prefixed(await commitmentOf(f)));
  return sha256(previous, ...parts);
}

// brokenChain says what is wrong with the entries, or nothing.
async function brokenChain({ effect, entries }, head) {
  let previous = new Uint8Array(32);
  for (const [i, e] of entries.entries()) {
    if (e.seq !== i + 1) return ["entries_missing"];
    previous = await entryHash(previous, effect, e);
    if (encode64(previous) !== e.hash) return ["entry_altered"];
  }
  if (entries.length < head.seq) return ["entries_missing"];
  return entries.length > head.seq || encode64(previous) !== head.hash ? ["head_mismatch"] : [];
}

// trusted finds a key by its thumbprint in the key set that is trusted.
async function trusted(kid, { jwks, key }) {
  for (const jwk of !key || key === kid ? jwks.keys : []) if (jwk.crv === "Ed25519" && (await thumbprint(jwk)) === kid) return jwk;
}

function against(c, link, { issuer = "", incident, at = new Date() }) {
  const holds = { wrong_issuer: [issuer.replace(/\/+$/, ""), link].every((base) => !base || base === c.iss), wrong_incident: !incident || incident === c.sub,
    expired: at < c.exp * 1000, not_yet_valid: at.getTime() + 60_000 >= c.iat * 1000 };
  return Object.keys(holds).filter((reason) => !holds[reason]);
}

async function check(input, options) {
  const bundle = input.startsWith("{"), cut = /^https?:\/\//.test(input) ? input.lastIndexOf("/p/") : -1;
  const [link, linked] = cut < 0 ? [] : [input.slice(0, cut), input.slice(cut + 3)];
  const b = bundle && must(utf8(input).length <= 2 ** 24 && input.endsWith("\n")) && parse(input.slice(0, -1), bundleShape);
  const { claims, ...token } = parseToken(bundle ? b.token : linked ?? input);
  const known = options.jwks ? await trusted(token.kid, options) : bundle && options.key === token.kid;
  if (bundle) must(b.jwks.keys[0].kid === token.kid && (await thumbprint(b.jwks.keys[0])) === token.kid);
  await checkSignature(token, bundle ? b.jwks.keys[0] : known || refuse("unknown_key"));
  return { claims, reasons: [...(known ? [] : ["key_not_trusted"]), ...against(claims, link, options), ...(bundle ? await brokenChain(b, claims.head) : [])] };
}

export async function verify(input, options = {}) {
  try {
    const { claims, reasons } = await check(input, options);
    return { valid: reasons.length === 0, reasons, claims };
  } catch (error) {
    return { valid: false, reasons: [error.reason ?? "malformed"], claims: {} };
  }
}
