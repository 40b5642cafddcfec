// Checks verify.mjs against vectors: node vectors.mjs FILE. Prints the differences, or "all N agree".
import { readFile } from "node:fs/promises";
import { entryHash, verify } from "./verify.mjs";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const v = JSON.parse(await readFile(process.argv[2], "utf8"));
const differences = [];
const hash = hex(await entryHash(Buffer.from(v.entry.previous_hex, "hex"), v.entry.effect, v.entry.entry));
if (hash !== v.entry.hash_hex) differences.push(`the entry's hash is ${hash}`);
for (const c of v.cases) {
  const { name, text, jwks = v.jwks, key, issuer = v.issuer, incident = v.incident, at = v.at } = c;
  const got = await verify(text, { jwks, key, issuer, incident, at: new Date(at) });
  const want = { valid: c.valid, reasons: c.reasons, claims: c.claims ?? {} };
  const sorted = (o) => JSON.stringify(o, (_, value) => (value && !Array.isArray(value) && typeof value === "object" ? Object.fromEntries(Object.entries(value).sort()) : value));
  if (sorted(got) !== sorted(want)) differences.push(`${name}: ${sorted(got)}, want ${sorted(want)}`);
}
console.log(differences.length ? differences.join("\n") : `all ${v.cases.length} agree`);
process.exitCode = differences.length ? 1 : 0;
