// Requests to Flowshelf. Each is signed, and an answer without Flowshelf's signature is dropped.
//
// A signature is an HMAC with a key that was agreed on while pairing and has not travelled since, so another
// program that listens at Flowshelf's address can neither give orders nor use what it is sent.

import { DASHBOARD } from "./addresses.js";

const TIMEOUT_MILLISECONDS = 20_000;
const MAX_CLOCK_MILLISECONDS = 60_000;

/** A reason why Flowshelf could not be asked. `code` is "unreachable", "stranger", "clock" or "refused". */
export class RelayProblem extends Error {
  constructor(code, sentence) {
    super(sentence);
    this.code = code;
  }
}

const bytesOf = (text) => new TextEncoder().encode(text);
const hexOf = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
const bytesOfHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const digest = async (bytes) => hexOf(await crypto.subtle.digest("SHA-256", bytes));
export const randomHex = (length) => hexOf(crypto.getRandomValues(new Uint8Array(length)));

const ALGORITHM = { name: "HMAC", hash: "SHA-256" };
const importKey = (hex) => crypto.subtle.importKey("raw", bytesOfHex(hex), ALGORITHM, false, ["sign", "verify"]);

/** The pairings, {id, key}: one for each account that this browser is used for. */
export const storedPairings = async () => (await chrome.storage.local.get("pairings")).pairings ?? [];

async function post(path, body, headers) {
  const options = { method: "POST", body, credentials: "omit", cache: "no-store", redirect: "error" };
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
    const response = await fetch(`${DASHBOARD}/companion/${path}`, { ...options, headers, signal });
    return { response, text: await response.text() };
  } catch {
    throw new RelayProblem("unreachable", "Flowshelf does not respond. Is it running?");
  }
}

/** Exchanges the code of the page "Connect this browser" for a key. */
export async function pair(code) {
  const body = { code, browser: browserName(), version: chrome.runtime.getManifest().version };
  const { response, text } = await post("pairing", JSON.stringify(body), { "Content-Type": "application/json" });
  const answer = parsed(text);
  if (!response.ok || !/^[0-9a-f]{32}$/.test(answer.pairingId) || !/^[0-9a-f]{64}$/.test(answer.secret)) {
    throw new RelayProblem("refused", sentenceIn(answer) ?? "This is not the Flowshelf that made this extension.");
  }
  const key = await digest(bytesOf(answer.secret));
  const pairings = [...(await storedPairings()), { id: answer.pairingId, key }];
  await chrome.storage.local.set({ pairings, isPaused: false });
}

/** Sends a signed request, and returns its answer if that has Flowshelf's signature. Throws RelayProblem. */
export async function ask(pairing, path, fields) {
  const key = await importKey(pairing.key);
  const [body, nonce, time] = [JSON.stringify(fields), randomHex(16), String(Date.now())];
  const { pathname } = new URL(`${DASHBOARD}/companion/${path}`);
  const signed = ["request", "POST", pathname, time, nonce, await digest(bytesOf(body))].join("\n");
  const signature = hexOf(await crypto.subtle.sign("HMAC", key, bytesOf(signed)));
  const { response, text } = await post(path, body, {
    "Content-Type": "application/json",
    "Flowshelf-Pairing": pairing.id,
    "Flowshelf-Time": time,
    "Flowshelf-Nonce": nonce,
    "Flowshelf-Signature": signature,
  });
  const expected = ["answer", response.status, nonce, await digest(bytesOf(text))].join("\n");
  const sent = bytesOfHex(response.headers.get("Flowshelf-Signature") ?? "");
  if (!(await crypto.subtle.verify("HMAC", key, sent, bytesOf(expected)))) throw unsigned(response);
  const answer = parsed(text);
  if (!response.ok) throw new RelayProblem("refused", sentenceIn(answer) ?? `Flowshelf refused (${response.status}).`);
  return answer;
}

/** What an answer without a valid signature may mean. Nothing in it is used, its time only to name the clock. */
function unsigned(response) {
  const theirs = Number(response.headers.get("Flowshelf-Time") ?? NaN);
  if (response.status === 401 && Math.abs(theirs - Date.now()) > MAX_CLOCK_MILLISECONDS) {
    return new RelayProblem("clock", "This computer's clock and that of Flowshelf differ. Check the clocks.");
  }
  return new RelayProblem(
    "stranger",
    "Flowshelf does not know this browser any more, or another program uses its address. Unpair, then pair again.",
  );
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

const sentenceIn = ({ error }) => (typeof error === "string" ? error.slice(0, 300) : undefined);

/** For example "Edge on Windows". */
function browserName() {
  const { brands = [], platform = "" } = navigator.userAgentData ?? {};
  const names = brands.map(({ brand }) => brand);
  const known = [["Microsoft Edge", "Edge"], ["Brave", "Brave"], ["Opera", "Opera"], ["Google Chrome", "Chrome"]];
  const name = known.find(([brand]) => names.includes(brand))?.[1] ?? "Chromium";
  return platform ? `${name} on ${platform}` : name;
}
