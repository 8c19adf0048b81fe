// Asks Flowshelf for calls, carries them out and hands over what Flow sent.
//
// The browser may end this worker at any moment and starts it again for an alarm or an event. So a call is stored
// before it is taken, and what is stored is carried out again: reading twice does no harm.

import { carryOut, listAccounts } from "./calls.js";
import { ask, pair, storedPairings } from "./relay.js";
import { closeIdleTab, closeOwnTab, isFlowUrl, isWatched, isWatchedUrl, ownTab } from "./tabs.js";

const MAX_CALLS = 6;
const PART_CHARACTERS = 2_000_000;
const MAX_STORED_MILLISECONDS = 600_000;
const SHORT_SECONDS = 5; // over a longer pause the worker may end; the alarm wakes it again
const ALARM = "ask";
const { local, session } = chrome.storage;

local.setAccessLevel({ accessLevel: "TRUSTED_CONTEXTS" }); // pages of Flow must not read the keys
chrome.runtime.onInstalled.addListener(wake);
chrome.runtime.onStartup.addListener(wake);
chrome.alarms.onAlarm.addListener(wake);
chrome.tabs.onUpdated.addListener(async (id, { status }, { url }) => {
  if (status !== "complete" || !isWatchedUrl(url)) return;
  const { asksAccounts } = await session.get("asksAccounts");
  if (asksAccounts && isFlowUrl(url) && id !== (await ownTab())?.id) await noteAccounts(); // somebody may have signed in there
  wake();
});
chrome.runtime.onMessage.addListener((message, sender, respond) => {
  if (sender.id !== chrome.runtime.id || sender.url !== chrome.runtime.getURL("popup.html")) return false;
  obey(message).then(respond, ({ message: problem }) => respond({ problem }));
  return true; // the response comes later
});

/** Carries out what the person pressed in the popup. */
async function obey({ action, code, id }) {
  if (action === "pair") {
    await pair(code);
    noteAccounts().then(wake);
  }
  if (action === "pause" || action === "resume") await local.set({ isPaused: action === "pause" });
  if (action === "unpair") {
    const pairing = (await storedPairings()).find((each) => each.id === id);
    if (pairing) await ask(pairing, "unpair", {}).catch(() => {}); // Flowshelf may be gone; its page can disconnect too
    await forgetPairing(id);
  }
  wake();
  return {};
}

async function forgetPairing(id) {
  const pairings = (await storedPairings()).filter((pairing) => pairing.id !== id);
  await local.set({ pairings });
  await session.remove(`state ${id}`);
  if (pairings.length) return;
  await chrome.alarms.clear(ALARM);
  await closeOwnTab();
  await local.clear();
  await session.clear();
}

/** Reads which accounts are signed in, for the next poll of each pairing: what waits for a sign-in is tried again. */
async function noteAccounts() {
  const accounts = await listAccounts().catch(() => null);
  const pairings = accounts ? await storedPairings() : [];
  for (const { id } of pairings) await session.set({ [`accounts ${id}`]: accounts });
}

// Asking

const asking = new Map(); // by the pairing: a function that ends the pause before the next poll

async function wake() {
  const pairings = await storedPairings();
  if (pairings.length && !(await chrome.alarms.get(ALARM))) await chrome.alarms.create(ALARM, { periodInMinutes: 0.5 });
  for (const pairing of pairings) {
    const rouse = asking.get(pairing.id);
    if (rouse) rouse();
    else askUntilQuiet(pairing).finally(() => asking.delete(pairing.id));
  }
}

/** Polls again and again while something goes on, and else once. */
async function askUntilQuiet(pairing) {
  const pauseFor = (seconds) =>
    new Promise((resolve) => {
      asking.set(pairing.id, resolve);
      setTimeout(resolve, Math.max(seconds * 1000, 50));
    });
  asking.set(pairing.id, () => {});
  for (let failures = 0; ; ) {
    let seconds;
    try {
      seconds = await poll(pairing);
      failures = 0;
    } catch ({ message }) {
      const key = `state ${pairing.id}`;
      await session.set({ [key]: { ...(await session.get(key))[key], problem: message } });
      failures += 1;
      seconds = (await isWatched()) ? Math.min(2 ** failures / 2, SHORT_SECONDS) : Infinity;
    }
    if (carried.size === 0) await closeIdleTab();
    if (seconds > SHORT_SECONDS && carried.size === 0) return;
    await pauseFor(Math.min(seconds, SHORT_SECONDS));
  }
}

/** Asks for calls, begins them, and returns after how many seconds to ask again. */
async function poll(pairing) {
  const { isPaused = false } = await local.get("isPaused");
  const key = `accounts ${pairing.id}`;
  const { [key]: accounts } = await session.get(key);
  const { version } = chrome.runtime.getManifest();
  const answer = await ask(pairing, "poll", { version, isPaused, isWatched: await isWatched(), accounts });
  if (accounts) await session.remove(key);
  if (!answer.isPaired) {
    await forgetPairing(pairing.id);
    return Infinity;
  }
  const { status, profile } = answer;
  if (!profile) await session.set({ asksAccounts: true });
  await session.set({ [`state ${pairing.id}`]: { status, profile } });
  for (const call of [...(await storedCalls(pairing.id)), ...answer.calls]) begin(pairing, call);
  return Number(answer.again);
}

// Carrying calls

const carried = new Map(); // calls by their ids: at most MAX_CALLS are under way, the others wait
let active = 0;

function begin(pairing, call) {
  if (!carried.has(call.id)) carried.set(call.id, { pairing, call, isBegun: false });
  beginNext();
}

function beginNext() {
  const next = [...carried.values()].find(({ isBegun }) => !isBegun);
  if (!next || active >= MAX_CALLS) return;
  next.isBegun = true;
  active += 1;
  carry(next.pairing, next.call)
    .catch(() => {}) // it stays stored, and is begun again after the next poll
    .finally(() => {
      active -= 1;
      carried.delete(next.call.id);
      asking.get(next.pairing.id)?.();
      beginNext();
    });
}

async function carry(pairing, call) {
  const { id } = call;
  const key = `call ${id}`;
  await local.set({ [key]: { storedAt: Date.now(), ...call, pairingId: pairing.id } });
  const { isYours } = await ask(pairing, "taken", { id });
  if (isYours) await handOver(pairing, id, await carryOut(call).catch(({ code = "odd" }) => ({ error: code })));
  await local.remove(key);
}

async function storedCalls(pairingId) {
  const stored = Object.entries(await local.get(null)).filter(([key]) => key.startsWith("call "));
  const isOld = ([, { storedAt }]) => Date.now() - storedAt > MAX_STORED_MILLISECONDS;
  await local.remove(stored.filter(isOld).map(([key]) => key));
  return stored.filter((entry) => !isOld(entry) && entry[1].pairingId === pairingId).map(([, call]) => call);
}

async function handOver(pairing, id, { error, status, location, body }) {
  await session.set({ asksAccounts: error === "signed_out" || status === 401 });
  if (error) return ask(pairing, "result", { id, error });
  let from = 0;
  for (let part = 0; part === 0 || from < body.length; part += 1) {
    let to = Math.min(from + PART_CHARACTERS, body.length);
    if (to < body.length && /[\uD800-\uDBFF]/.test(body[to - 1])) to -= 1; // keep the pair of a character together
    const isLast = to === body.length;
    const fields = { id, part, isLast, status, location, body: body.slice(from, to) };
    if (!(await askAgain(pairing, "result", fields)).isYours) return undefined;
    from = to;
  }
  return count(body.length);
}

/** Asks up to three times: an answer may get lost, and a part that comes twice is ignored. */
async function askAgain(pairing, path, fields) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask(pairing, path, fields);
    } catch (problem) {
      if (problem.code !== "unreachable" || tries === 3) throw problem;
      await new Promise((resolve) => setTimeout(resolve, 1000 * tries));
    }
  }
}

let counting = Promise.resolve();

/** Adds to what the popup shows; one after the other, because reading and storing are two steps. */
function count(characters) {
  counting = counting.then(async () => {
    const { counts = { calls: 0, characters: 0 } } = await local.get("counts");
    await local.set({ counts: { calls: counts.calls + 1, characters: counts.characters + characters } });
  });
  return counting;
}

// A worker that waits for Flow is ended after half a minute, unless it uses the browser's interface now and then.
setInterval(() => carried.size && chrome.runtime.getPlatformInfo(), 20_000);
wake();
