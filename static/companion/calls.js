// The calls that Flowshelf may ask for. Address and body are built here, so that a request can only read.
//
// Start pages and their tokens (`at`) stay in the memory of the worker and go nowhere but to Flow.

import { FLOW } from "./addresses.js";
import { CALL_PATH, PERSON, READING_CALLS } from "./reading_calls.js";
import { fetchInTab } from "./tabs.js";
import { Refusal } from "./refusal.js";

const MAX_BYTES = 64 * 1024 * 1024;
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
const MAX_ACCOUNTS = 10;
const PAGE_MILLISECONDS = 600_000;
const TIMEOUT_MILLISECONDS = 30_000;

/** Carries out what Flowshelf asks for: {status, location, body}. Throws Refusal. */
export async function carryOut(call) {
  const { operation, index } = call;
  if (operation === "accounts") return answered(await listAccounts());
  if (!Number.isInteger(index) || index < 0 || index >= 100) throw new Refusal("odd");
  if (operation === "account") {
    const { email, fields } = await readStartPage(index);
    return answered({ email, fields });
  }
  if (operation === "call") return makeCall(call);
  throw new Refusal("odd");
}

const answered = (value) => ({ status: 200, location: null, body: JSON.stringify(value) });

/** Exactly the arguments that the table allows. Throws Refusal for any others. */
export function checkedArguments(rpc, given) {
  if (!Object.hasOwn(READING_CALLS, rpc) || !Array.isArray(given)) throw new Refusal("odd");
  const [free, fits, around] = READING_CALLS[rpc];
  const value = free(given);
  if (!fits(value) || JSON.stringify(around(value)) !== JSON.stringify(given)) throw new Refusal("odd");
  return around(value);
}

async function makeCall({ index, rpc, arguments: given, isAnonymous, maxBytes }) {
  const body = JSON.stringify([[[rpc, JSON.stringify(checkedArguments(rpc, given)), null, "generic"]]]);
  const limit = Math.min(Number.isInteger(maxBytes) && maxBytes > 0 ? maxBytes : MAX_BYTES, MAX_BYTES);
  const send = (page) => sendCall(page, rpc, body, isAnonymous ? "" : page.token, limit);
  let page = await startPage(index);
  let answer = await send(page);
  if (answer.isRedirect || answer.status === 401 || answer.status === 403) {
    page = await startPage(index, page);
    answer = await send(page);
  }
  if (answer.token !== null) {
    page.token = answer.token;
    if (!isAnonymous) answer = await send(page);
  }
  if (answer.isRedirect) throw new Refusal("signed_out");
  return { status: answer.status, location: null, body: answer.body };
}

let lastRequestId = 100_000 * Math.floor(1 + Math.random() * 9);

function sendCall(page, rpc, body, token, maxBytes) {
  const query = { rpcids: rpc, "source-path": "/", bl: page.build, "f.sid": page.session, hl: "en" };
  lastRequestId += 100_000;
  const search = new URLSearchParams({ ...query, _reqid: lastRequestId, rt: "c" });
  const form = new URLSearchParams(token ? { "f.req": body, at: token } : { "f.req": body });
  const url = `${FLOW}/u/${page.index}/${CALL_PATH}?${search}`;
  return fetchInTab({ url, body: form.toString(), index: page.index, maxBytes });
}

// Start pages

const pages = new Map(); // promises by the number of the account

/** The start page of an account: one that was read in the last ten minutes and is not `refused`, or a new one. */
async function startPage(index, refused = null) {
  const known = await pages.get(index)?.catch(() => null);
  if (known && known !== refused && Date.now() - known.readAt < PAGE_MILLISECONDS) return known;
  const page = await readStartPage(index);
  if (!page.build || !page.session) throw new Refusal("signed_out");
  return page;
}

/** Reads a start page, whether or not one is known. One thread of calls reads, the others wait for its page. */
function readStartPage(index) {
  const reading = reads.get(index) ?? fetchStartPage(index).finally(() => reads.delete(index));
  reads.set(index, reading);
  pages.set(index, reading);
  return reading;
}

const reads = new Map();

async function fetchStartPage(index) {
  const url = `${FLOW}/u/${index}/`;
  const text = await readInWorker(url).catch((refusal) => {
    if (refusal.code !== "signed_out") throw refusal;
    return readInTab(url, index); // the browser may keep a worker from cookies that a tab of Flow has
  });
  const values = ["oPEP7c", "SNlM0e", "cfb2h", "FdrFJe"].map((key) => fieldIn(text, key));
  const [email, token, build, session] = values;
  const fields = { SNlM0e: Boolean(token), cfb2h: Boolean(build), FdrFJe: Boolean(session) };
  return { index, email, token, build, session, fields, readAt: Date.now() };
}

async function readInWorker(url) {
  const response = await get(url, "follow").catch(async () => {
    // A redirect to Google's sign-in page looks like a failure, because that is no page we may read.
    const { type } = await get(url, "manual").catch(() => ({ type: "error" }));
    throw new Refusal(type === "opaqueredirect" ? "signed_out" : "offline");
  });
  checkStartPage(response);
  return response.text().catch(() => Promise.reject(new Refusal("offline")));
}

async function readInTab(url, index) {
  const answer = await fetchInTab({ url, index, maxBytes: MAX_PAGE_BYTES }).catch(() => {
    throw new Refusal("signed_out");
  });
  checkStartPage(answer);
  return answer.body;
}

function checkStartPage({ status, url }) {
  const { origin, pathname } = new URL(url);
  if (status === 429 || status >= 500) throw new Refusal("offline");
  const isElsewhere = origin !== new URL(FLOW).origin || /\/about\/?$/.test(pathname);
  // Any other answer is not known to mean that nobody is signed in: Flowshelf says that the page has changed.
  if (isElsewhere || status === 401 || status === 403) throw new Refusal("signed_out");
}

const get = (url, redirect) =>
  fetch(url, { credentials: "include", cache: "no-store", redirect, signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS) });

function fieldIn(text, key) {
  const found = text.match(new RegExp(`"${key}":("(?:[^"\\\\]|\\\\.){1,2000}")`));
  try {
    return found ? JSON.parse(found[1]).trim() : "";
  } catch {
    return "";
  }
}

// Accounts

/** All signed-in accounts. Their numbers begin with 0 and have no gaps. */
export async function listAccounts() {
  const accounts = [];
  const seen = new Set();
  for (let index = 0; index < MAX_ACCOUNTS; index += 1) {
    const email = await emailOf(index).catch((refusal) => {
      if (refusal.code === "signed_out") return null;
      throw refusal;
    });
    // For a number that nobody has, Flow may show another account again.
    if (email === null || (email && seen.has(email)) || (email === "" && index > 0)) break;
    seen.add(email);
    accounts.push({ index, email });
  }
  return accounts;
}

/** The e-mail of an account; "" when Flow does not tell. Throws Refusal if nobody is signed in. */
async function emailOf(index) {
  const page = await readStartPage(index);
  if (page.email) return page.email;
  const { status, body } = await makeCall({ index, rpc: "o30O0e", arguments: PERSON });
  if (status === 401 || status === 403) throw new Refusal("signed_out");
  try {
    const [row] = JSON.parse(body.split("\n").find((line) => line.includes('"wrb.fr"')));
    return String(JSON.parse(row[2])[0][0][2][9][0][1]).trim();
  } catch {
    return "";
  }
}
