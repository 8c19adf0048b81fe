// Asks Flowshelf for calls, carries them out and hands over what Flow sent.
//
// The browser may end this worker at any moment and starts it again for an alarm or an event. So a call is stored
// before it is taken, and what is stored is carried out again: reading twice does no harm.

import { carryOut } from "./calls.js";
import { ask, pair, RelayProblem, storedPairing } from "./relay.js";
import { closeIdleTab, closeOwnTab, isWatched, isWatchedUrl } from "./tabs.js";

const MAX_CALLS = 6;
const PART_CHARACTERS = 2_000_000;
const MAX_STORED_MILLISECONDS = 600_000;
const SHORT_SECONDS = 5; // over a longer pause the worker may end; the alarm wakes it again
const ALARM = "ask";

chrome.storage.local.setAccessLevel({ accessLevel: "TRUSTED_CONTEXTS" }); // pages of Flow must not read the key
chrome.runtime.onInstalled.addListener(wake);
chrome.runtime.onStartup.addListener(wake);
chrome.alarms.onAlarm.addListener(wake);
chrome.tabs.onUpdated.addListener((id, { status }, { url }) => {
  if (status === "complete" && isWatchedUrl(url)) wake();
});
chrome.runtime.onMessage.addListener((message, sender, respond) => {
  if (sender.id !== chrome.runtime.id || sender.url !== chrome.runtime.getURL("popup.html")) return false;
  obey(message).then(respond, ({ message: problem }) => respond({ problem }));
  return true; // the response comes later
});

/** Carries out what the person pressed in the popup. */
async function obey({ action, code }) {
  if (action === "pair") {
    await pair(code);
    await chrome.alarms.create(ALARM, { periodInMinutes: 0.5 });
  }
  if (action === "pause") await chrome.storage.local.set({ isPaused: true });
  if (action === "resume") await chrome.storage.local.set({ isPaused: false });
  if (action === "unpair") await unpair();
  wake();
  return {};
}

async function unpair() {
  const pairing = await storedPairing();
  if (pairing) await ask(pairing, "unpair", {}).catch(() => {}); // Flowshelf may be gone; its page can revoke as well
  await forgetPairing();
}

async function forgetPairing() {
  await chrome.alarms.clear(ALARM);
  await chrome.storage.local.clear();
  await closeOwnTab();
  await chrome.storage.session.clear();
}

// Asking

let asking = null;
let rouse = () => {}; // ends the pause before the next poll

function wake() {
  rouse();
  asking ??= askUntilQuiet().finally(() => {
    asking = null;
  });
}

/** Polls again and again while something goes on, and else once. */
async function askUntilQuiet() {
  for (let failures = 0; ; ) {
    const pairing = await storedPairing();
    if (!pairing) return;
    if (!(await chrome.alarms.get(ALARM))) await chrome.alarms.create(ALARM, { periodInMinutes: 0.5 });
    let seconds;
    try {
      seconds = await poll(pairing);
      failures = 0;
    } catch (problem) {
      await report({ problem: problem instanceof RelayProblem ? problem.message : String(problem) });
      failures += 1;
      seconds = (await isWatched()) ? Math.min(2 ** failures / 2, SHORT_SECONDS) : Infinity;
    }
    if (carried.size === 0) await closeIdleTab();
    if (seconds > SHORT_SECONDS && carried.size === 0) return;
    await pauseFor(Math.min(seconds, SHORT_SECONDS));
  }
}

function pauseFor(seconds) {
  return new Promise((resolve) => {
    rouse = resolve;
    setTimeout(resolve, Math.max(seconds * 1000, 50));
  });
}

/** Asks for calls, begins them, and returns after how many seconds to ask again. */
async function poll(pairing) {
  const { isPaused = false } = await chrome.storage.local.get("isPaused");
  const { version } = chrome.runtime.getManifest();
  const answer = await ask(pairing, "poll", { version, isPaused, isWatched: await isWatched() });
  if (!answer.isPaired) {
    await forgetPairing();
    return Infinity;
  }
  await report({ problem: null, status: answer.status, profile: answer.profile });
  for (const call of [...(await storedCalls()), ...answer.calls]) begin(pairing, call);
  return Number(answer.again);
}

/** Tells the popup, which reads it from the storage. */
const report = (news) =>
  serially(async () => {
    const { state } = await chrome.storage.session.get("state");
    await chrome.storage.session.set({ state: { ...state, ...news, at: Date.now() } });
  });

let last = Promise.resolve();

/** Runs `act` after those before it, because reading and storing again are two steps. */
function serially(act) {
  last = last.then(act, act);
  return last;
}

// Carrying calls

const carried = new Map(); // calls by their ids: at most MAX_CALLS are under way, the others wait
let active = 0;

function begin(pairing, call) {
  if (carried.has(call.id)) return;
  carried.set(call.id, { pairing, call, isBegun: false });
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
      rouse();
      beginNext();
    });
  beginNext();
}

async function carry(pairing, call) {
  const { id, storedAt } = call;
  const key = `call ${id}`;
  await chrome.storage.local.set({ [key]: { ...call, storedAt: storedAt ?? Date.now() } });
  const { isYours } = await ask(pairing, "taken", { id });
  if (isYours) await handOver(pairing, id, await carryOut(call).catch(({ code = "odd" }) => ({ error: code })));
  await chrome.storage.local.remove(key);
}

async function storedCalls() {
  const stored = Object.entries(await chrome.storage.local.get(null)).filter(([key]) => key.startsWith("call "));
  const isOld = ([, { storedAt }]) => Date.now() - storedAt > MAX_STORED_MILLISECONDS;
  await chrome.storage.local.remove(stored.filter(isOld).map(([key]) => key));
  return stored.filter((entry) => !isOld(entry)).map(([, call]) => call);
}

async function handOver(pairing, id, { error, status, location, body }) {
  if (error) return ask(pairing, "result", { id, error });
  let from = 0;
  for (let part = 0; part === 0 || from < body.length; part += 1) {
    let to = Math.min(from + PART_CHARACTERS, body.length);
    if (to < body.length && /[\uD800-\uDBFF]/.test(body[to - 1])) to -= 1; // keep the pair of a character together
    const isLast = to === body.length;
    const { isYours } = await askAgain(pairing, "result", { id, part, isLast, status, location, body: body.slice(from, to) });
    if (!isYours) return undefined;
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

const count = (characters) =>
  serially(async () => {
    const { counts = { calls: 0, characters: 0 } } = await chrome.storage.local.get("counts");
    await chrome.storage.local.set({ counts: { calls: counts.calls + 1, characters: counts.characters + characters } });
  });

// A worker that waits for Flow is ended after half a minute, unless it uses the browser's interface now and then.
setInterval(() => carried.size && chrome.runtime.getPlatformInfo(), 20_000);
wake();
