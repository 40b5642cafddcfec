// The page works without this file. It writes times in the reader's own zone,
// and checks the proof in the browser: the link's signature against the published
// keys, and the chain of entries against the seal that was signed.
// docs/proof-format.md has the formats.
"use strict";

const utf8 = new TextEncoder();
const NOTHING = new Uint8Array([255, 255, 255, 255]);

for (const time of document.querySelectorAll("time")) {
  const at = new Date(time.dateTime);
  time.title = time.textContent;
  time.textContent = at.toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
}
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && zone !== "UTC") {
  document.getElementById("zone").textContent = "Times are shown for your zone, " + zone + ".";
}

function bytes(base64url) {
  const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}

function join(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

// prefixed is a value with its length before it.
function prefixed(value) {
  if (value === undefined) {
    return NOTHING;
  }
  const raw = typeof value === "string" ? utf8.encode(value) : value;
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, raw.length);
  return join(length, raw);
}

const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);
const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));

async function commitment(field) {
  if (field.commitment !== undefined) {
    return bytes(field.commitment);
  }
  const value = typeof field.value === "string" ? utf8.encode(field.value) : join(...field.value.map(prefixed));
  return sha256(join(bytes(field.salt), value));
}

// hashOf is the seal of an entry, from that of the entry before.
async function hashOf(previous, entry, effect) {
  const parts = [previous];
  for (const value of ["sendpromptly.entry.v1", String(entry.seq), entry.kind, String(entry.at), entry.state, entry.cause,
    effect.provider, effect.event_type, effect.type, effect.id]) {
    parts.push(prefixed(value));
  }
  for (const field of entry.fields) {
    parts.push(prefixed(field.name), prefixed(await commitment(field)));
  }
  return sha256(join(...parts));
}

// The outcomes of the check, apart from "it holds".
class Refuted extends Error {}
class Unable extends Error {}

async function fetchJSON(url) {
  const answer = await fetch(url, { cache: "no-store", referrerPolicy: "no-referrer" });
  if (answer.status === 409) {
    throw new Refuted("The entries have changed since they were proven.");
  }
  if (!answer.ok) {
    throw new Unable("The proof could not be fetched.");
  }
  return answer.json();
}

// signed checks the token's signature and returns what it says.
async function signed(token, keys) {
  const [header, payload, signature] = token.split(".");
  const { kid, alg } = JSON.parse(new TextDecoder().decode(bytes(header)));
  const jwk = keys.keys.find((k) => k.kid === kid);
  if (!jwk || alg !== "EdDSA") {
    throw new Refuted("The link is not signed with a key that this site publishes.");
  }
  let key;
  try {
    key = await crypto.subtle.importKey("jwk", { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    throw new Unable("This browser does not support Ed25519 signatures, so it cannot check the proof.");
  }
  if (!await crypto.subtle.verify({ name: "Ed25519" }, key, bytes(signature), utf8.encode(header + "." + payload))) {
    throw new Refuted("The signature of this link is not valid.");
  }
  return JSON.parse(new TextDecoder().decode(bytes(payload)));
}

// shown compares the times on the page with those that were sealed.
function shown(entries) {
  return entries.every((entry) => {
    const time = document.querySelector(`li[data-seq="${entry.seq}"] time`);
    return time && new Date(time.dateTime).getTime() === Math.floor(entry.at / 1e6) * 1000;
  });
}

async function check(panel) {
  if (!globalThis.crypto || !crypto.subtle) {
    throw new Unable("This browser cannot check the proof on a page without https.");
  }
  const bundle = await fetchJSON(panel.dataset.bundle);
  const claims = await signed(bundle.token, await fetchJSON(panel.dataset.keys));
  if (!location.pathname.endsWith("/" + bundle.token)) {
    throw new Refuted("The proof does not belong to this link.");
  }
  let seal = new Uint8Array(32);
  for (const [i, entry] of bundle.entries.entries()) {
    seal = await hashOf(seal, entry, bundle.effect);
    if (entry.seq !== i + 1 || !same(seal, bytes(entry.hash))) {
      throw new Refuted(`Entry ${i + 1} was changed.`);
    }
  }
  if (bundle.entries.length !== claims.head.seq || !same(seal, bytes(claims.head.hash)) || !shown(bundle.entries)) {
    throw new Refuted("The entries do not match the signature.");
  }
  return claims.head.seq;
}

function say(panel, tone, text) {
  const verdict = panel.querySelector(".verdict");
  verdict.className = "verdict " + tone;
  verdict.querySelector("path").setAttribute("d", { good: "M5 12.5l4.5 4.5L19 7.5", bad: "M12 6v7.5M12 17.5v.5" }[tone] || "M7 12h10");
  verdict.querySelector("span").textContent = text;
  panel.dataset.result = tone;
}

const panel = document.getElementById("check");
panel.hidden = false;
check(panel).then(
  (seq) => say(panel, "good", `Your browser has checked it too: the signature is valid, and entries 1 to ${seq} match the signed seal.`),
  (err) => {
    if (err instanceof Refuted) {
      say(panel, "bad", "Your browser has checked it: " + err.message);
    } else {
      say(panel, "unable", err instanceof Unable ? err.message + " Our server made the check above." : "Your browser could not finish its own check. Our server made the check above.");
    }
  },
);
