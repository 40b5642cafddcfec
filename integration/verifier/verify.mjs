// Verifies SendPromptly's proofs on nothing but WebCrypto, by docs/proof-format.md alone: in Node 18 or later and in browsers.
//
//   import { verify } from "./verify.mjs";
//   const { valid, reasons, claims } = await verify(text, { jwks, issuer, incident, at });
//
// text is a token, a link or a bundle. jwks is the key set that you trust, key the thumbprint of the one key that you trust;
// issuer and incident are what you expect, at is a Date (default: now). Nothing is fetched.
const { subtle } = globalThis.crypto ?? (await import("node:crypto")).webcrypto;
const utf8 = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
const sha256 = async (...parts) => new Uint8Array(await subtle.digest("SHA-256", join(...parts)));
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const refuse = (reason) => { throw Object.assign(new Error(reason), { reason }); };
const must = (holds) => holds || refuse("malformed");

function encode64(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decode64(encoded, size) {
  must(typeof encoded === "string" && /^[A-Za-z0-9_-]+$/.test(encoded));
  const bytes = Uint8Array.from(atob(encoded.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  must(encode64(bytes) === encoded && (size === undefined || bytes.length === size));
  return bytes;
}

// canonical writes a value in its one spelling.
function canonical(value) {
  if (typeof value === "string") return must(!/\p{Surrogate}/u.test(value)) && JSON.stringify(value);
  if (typeof value === "number") return must(Number.isSafeInteger(value) && value >= 0) && String(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  must(typeof value === "object" && value !== null);
  return `{${Object.keys(value).sort().map((name) => `${canonical(name)}:${canonical(value[name])}`).join(",")}}`;
}

// parse reads an object in its one spelling.
function parse(json) {
  const value = JSON.parse(json);
  must(json.startsWith("{") && canonical(value) === json);
  return value;
}

// members requires an object with exactly these members, and no other than the optional ones.
function members(object, names, optional = []) {
  must(typeof object === "object" && names.every((name) => Object.hasOwn(object, name)));
  must(Object.keys(object).every((name) => names.includes(name) || (optional.includes(name) && object[name] !== "")));
  return object;
}

async function thumbprint(jwk) {
  return encode64(await sha256(utf8(canonical({ crv: "Ed25519", kty: "OKP", x: jwk.x }))));
}

async function parseToken(token) {
  must(token.length <= 8192);
  const segments = token.split(".");
  must(segments.length === 3);
  const [header, payload, signature] = segments.map((segment) => decode64(segment));
  const { alg, kid, typ } = members(parse(text(header)), ["alg", "kid", "typ"]);
  must(alg === "EdDSA" && typ === "sendpromptly-proof+jwt" && decode64(kid, 32) && signature.length === 64);
  const c = members(parse(text(payload)), ["aud", "exp", "head", "iat", "iss", "jti", "sub"]);
  const uuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;
  must(c.aud === "sendpromptly-proof" && typeof c.iss === "string" && /^[!#-[\]-~]{1,2048}$/.test(c.iss));
  must(typeof c.sub === "string" && uuid.test(c.sub) && typeof c.jti === "string" && uuid.test(c.jti));
  must(typeof c.iat === "number" && typeof c.exp === "number" && c.iat > 0 && c.exp > c.iat && c.exp - c.iat <= 90 * 86400 && c.exp <= 253402300799);
  members(c.head, ["hash", "seq"]);
  must(typeof c.head.seq === "number" && c.head.seq >= 1 && c.head.seq < 2 ** 31 && decode64(c.head.hash, 32));
  return { kid, claims: c, signature, input: utf8(`${segments[0]}.${segments[1]}`) };
}

async function checkSignature(token, jwk) {
  const key = await subtle.importKey("jwk", { kty: "OKP", crv: "Ed25519", x: jwk.x }, { name: "Ed25519" }, false, ["verify"]);
  if (!(await subtle.verify("Ed25519", key, token.signature, token.input))) refuse("bad_signature");
}

// checkClaims holds what was signed against what is expected.
function checkClaims(c, { issuer = "", incident, at = new Date() }, link, reasons) {
  if ([issuer.replace(/\/+$/, ""), link].some((expected) => expected && expected !== c.iss)) reasons.push("wrong_issuer");
  if (incident && c.sub !== incident) reasons.push("wrong_incident");
  if (at >= c.exp * 1000) reasons.push("expired");
  if (at.getTime() + 60_000 < c.iat * 1000) reasons.push("not_yet_valid");
}

const size = (n) => new Uint8Array([n >>> 24, n >>> 16, n >>> 8, n]);
const prefixed = (bytes) => join(size(bytes.length), bytes);
const optional = (value) => (value === undefined || value === "" ? size(0xffffffff) : prefixed(utf8(String(value))));

async function commitment(field) {
  if (Object.hasOwn(field, "commitment")) return decode64(members(field, ["commitment", "name"]).commitment, 32);
  const { value } = members(field, ["name", "salt", "value"]);
  must(field.name === "objects" ? Array.isArray(value) && value.every((item) => typeof item === "string") : typeof value === "string");
  return sha256(decode64(field.salt, 32), ...(field.name === "objects" ? value.map((item) => prefixed(utf8(item))) : [utf8(value)]));
}

// entryHash computes the hash of an entry of a bundle from that of the entry before.
export async function entryHash(previous, effect, e) {
  const clear = ["sendpromptly.entry.v1", e.seq, e.kind, e.at, e.state, e.cause, effect.provider, effect.event_type, effect.type, effect.id];
  const parts = clear.map(optional);
  for (const field of e.fields) parts.push(prefixed(utf8(field.name)), prefixed(await commitment(field)));
  return sha256(previous, ...parts);
}

// checkChain returns what is wrong with the entries, or nothing.
async function checkChain({ effect, entries }, head) {
  let previous = new Uint8Array(32);
  for (const [i, entry] of entries.entries()) {
    if (entry.seq !== i + 1) return "entries_missing";
    previous = await entryHash(previous, effect, entry);
    if (encode64(previous) !== entry.hash) return "entry_altered";
  }
  if (entries.length < head.seq) return "entries_missing";
  return entries.length > head.seq || encode64(previous) !== head.hash ? "head_mismatch" : undefined;
}

async function parseBundle(bundle) {
  must(bundle.length <= 2 ** 24 && bundle.endsWith("\n"));
  const b = members(parse(bundle.slice(0, -1)), ["effect", "entries", "format", "jwks", "token"]);
  must(b.format === "sendpromptly.bundle.v1" && typeof b.token === "string" && Array.isArray(b.entries));
  must(Array.isArray(members(b.jwks, ["keys"]).keys) && b.jwks.keys.length === 1);
  const [jwk] = b.jwks.keys;
  members(jwk, ["alg", "crv", "kid", "kty", "use", "x"]);
  must(jwk.alg === "EdDSA" && jwk.crv === "Ed25519" && jwk.kty === "OKP" && jwk.use === "sig" && decode64(jwk.x, 32) && jwk.kid === (await thumbprint(jwk)));
  const effect = members(b.effect, ["id", "provider", "type"], ["event_type"]);
  must(Object.values(effect).every((value) => typeof value === "string"));
  for (const e of b.entries) {
    members(e, ["at", "fields", "hash", "kind", "seq"], ["cause", "state"]);
    must([e.kind, e.cause ?? "", e.state ?? ""].every((value) => typeof value === "string") && typeof e.at === "number" && Array.isArray(e.fields));
    must(typeof e.seq === "number" && e.seq >= 1 && e.seq < 2 ** 31 && decode64(e.hash, 32));
    for (const field of e.fields) must(typeof field.name === "string" && field.name !== "" && (await commitment(field)));
  }
  return b;
}

// trusted finds a trusted key, by its thumbprint, in a key set.
async function trusted(kid, { jwks, key }) {
  if (key && key !== kid) return undefined;
  for (const jwk of jwks?.keys ?? []) {
    if (jwk.kty === "OKP" && jwk.crv === "Ed25519" && (await thumbprint(jwk)) === kid) return jwk;
  }
  return undefined;
}

async function check(input, options) {
  if (!input.startsWith("{")) {
    const link = /^(https?:\/\/.*)\/p\/([^]*?)$/.exec(input);
    const token = await parseToken(link ? link[2] : input);
    const jwk = (await trusted(token.kid, options)) ?? refuse("unknown_key");
    await checkSignature(token, jwk);
    return { claims: token.claims, link: link?.[1], reasons: [] };
  }
  const bundle = await parseBundle(input);
  const token = await parseToken(bundle.token);
  must(token.kid === bundle.jwks.keys[0].kid);
  await checkSignature(token, bundle.jwks.keys[0]);
  const known = options.jwks ? await trusted(token.kid, options) : options.key === token.kid;
  return { claims: token.claims, reasons: known ? [] : ["key_not_trusted"], broken: await checkChain(bundle, token.claims.head) };
}

export async function verify(input, options = {}) {
  try {
    const { claims, link, reasons, broken } = await check(input, options);
    checkClaims(claims, options, link, reasons);
    if (broken) reasons.push(broken);
    return { valid: reasons.length === 0, reasons, claims };
  } catch (error) {
    return { valid: false, reasons: [error.reason ?? "malformed"], claims: {} };
  }
}
