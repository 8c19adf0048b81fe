// A tab of Flow makes the requests: as Flow's own page does, with its cookies, in its origin.
//
// A tab of the person's is used when there is one. Otherwise one is opened in the background, and closed again.

import { DASHBOARD, FLOW } from "./addresses.js";
import { Refusal } from "./refusal.js";

const OPENING_MILLISECONDS = 20_000;
const BEGINNING_MILLISECONDS = 8_000;
const IDLE_MILLISECONDS = 20_000;

// Match patterns know no port, so the origin is compared as well.
const patternOf = (url) => `${new URL(url).protocol}//${new URL(url).hostname}/*`;
const isBelow = (url, base) => url === base || (url ?? "").startsWith(`${base}/`);

export const isFlowUrl = (url) => isBelow(url, FLOW);
export const isWatchedUrl = (url) => isBelow(url, FLOW) || isBelow(url, DASHBOARD);

async function tabsBelow(base) {
  const tabs = await chrome.tabs.query({ url: patternOf(base) });
  return tabs.filter(({ url }) => isBelow(url, base));
}

/** Whether the person has a tab of Flow or of the dashboard open. */
export async function isWatched() {
  const [tabs, own] = await Promise.all([Promise.all([FLOW, DASHBOARD].map(tabsBelow)), ownTab()]);
  return tabs.flat().some(({ id }) => id !== own?.id);
}

// Kept over an update of the companion, but not over a restart of the browser, which counts tabs anew.
export const ownTab = async () => (await chrome.storage.local.get("ownTab")).ownTab;
const setOwnTab = (tab) => (tab ? chrome.storage.local.set({ ownTab: tab }) : chrome.storage.local.remove("ownTab"));
chrome.runtime.onStartup.addListener(() => setOwnTab(null));

// The requests that a tab is making, by a random name that only its injected function knows.
const requests = new Map();

chrome.runtime.onConnect.addListener((port) => {
  const request = port.sender?.tab && isBelow(port.sender.url, FLOW) ? requests.get(port.name) : null;
  if (!request) return port.disconnect();
  port.onMessage.addListener(request.onMessage);
  port.onDisconnect.addListener(request.onLost);
});

/** Makes a POST in a tab, or a GET if it has no body: {status, url, isRedirect, token, body}. Throws Refusal. */
export async function fetchInTab(request) {
  lastUsedAt = Date.now();
  const own = await ownTab();
  const usable = (await tabsBelow(FLOW)).filter((tab) => !tab.discarded && !tab.frozen);
  const tab = usable.find(({ id }) => id !== own?.id) ?? usable[0];
  try {
    // A page that is closed or left in the middle loses its requests, and reading twice does no harm.
    const answer = tab && (await fetchIn(tab.id, request));
    return answer || (await fetchIn(await openedTab(tab?.id), request)) || Promise.reject(new Refusal("no_tab"));
  } finally {
    lastUsedAt = Date.now();
  }
}

/** Makes the request in this tab; null if the tab did not do it. Throws Refusal. */
async function fetchIn(tabId, request) {
  const name = crypto.randomUUID();
  const chunks = [];
  let timer;
  try {
    const answer = await new Promise((resolve) => {
      const onLost = () => resolve(null);
      timer = setTimeout(onLost, BEGINNING_MILLISECONDS);
      const onMessage = (message) => {
        clearTimeout(timer); // the page works; its own limit holds from here on
        if (typeof message.chunk === "string") chunks.push(message.chunk);
        if (message.end) resolve(message.end);
      };
      requests.set(name, { onMessage, onLost });
      const injection = { target: { tabId }, func: fetchInPage, args: [name, request], injectImmediately: true };
      chrome.scripting.executeScript(injection).catch(onLost);
    });
    if (answer?.error) throw new Refusal(answer.error);
    return answer && { ...answer, body: chunks.join("") };
  } finally {
    clearTimeout(timer);
    requests.delete(name);
  }
}

/**
 * Runs in the page, apart from its scripts. It is sent there as text, so it uses nothing of this file.
 *
 * The token of a refusal goes to the worker, apart from the body: it must not get to Flowshelf.
 */
async function fetchInPage(name, { url, body, index, maxBytes }) {
  const CHUNK = 256 * 1024;
  const headers = {
    "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
    "X-Same-Domain": "1",
    "X-Goog-AuthUser": String(index),
  };
  const port = chrome.runtime.connect({ name });
  const end = (result) => port.postMessage({ end: result });
  port.postMessage({ begun: true });
  try {
    const response = await fetch(url, {
      ...(!body ? { redirect: "follow" } : { method: "POST", body, headers, redirect: "manual" }),
      credentials: "include",
      cache: "no-store",
      referrer: "/",
      signal: AbortSignal.timeout(110_000),
    });
    const decoder = new TextDecoder();
    let [text, size] = ["", 0];
    for (const reader = response.body?.getReader(); reader; ) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > maxBytes) return end({ error: "too_large" });
      text += decoder.decode(value, { stream: true });
    }
    text += decoder.decode();
    const token = text.match(/\["xsrf","([^"\\]{1,2000})"/)?.[1] ?? null;
    if (token !== null) text = text.replaceAll(token, "-");
    for (let from = 0; from < text.length; ) {
      let to = Math.min(from + CHUNK, text.length);
      if (/[\uD800-\uDBFF]/.test(text[to - 1]) && to < text.length) to += 1; // keep the pair of a character together
      port.postMessage({ chunk: text.slice(from, to) });
      from = to;
    }
    end({ status: response.status, url: response.url, isRedirect: response.type === "opaqueredirect", token });
  } catch {
    end({ error: "offline" });
  } finally {
    port.disconnect();
  }
}

// The tab of our own

let lastUsedAt = Date.now();
let opening = null;

/** The id of a tab of Flow that is not `unusable`: our own one, opened if need be. */
function openedTab(unusable) {
  opening ??= openTab(unusable).finally(() => {
    opening = null;
  });
  return opening;
}

async function openTab(unusable) {
  const own = await ownTab();
  if (own && own.id !== unusable && (await arrived(own.id))) return own.id;
  await closeOwnTab();
  const isAlone = (await chrome.tabs.query({})).length === 0;
  const id = isAlone
    ? (await chrome.windows.create({ url: `${FLOW}/`, focused: false, state: "minimized" })).tabs[0].id
    : (await chrome.tabs.create({ url: `${FLOW}/`, active: false })).id;
  await setOwnTab({ id, isAlone });
  if (await arrived(id)) return id;
  throw new Refusal("no_tab");
}

/** Whether a tab shows a page of Flow, at once or soon. A new tab shows about:blank first. */
async function arrived(id) {
  for (const end = Date.now() + OPENING_MILLISECONDS; Date.now() < end; await pause(50)) {
    const tab = await chrome.tabs.get(id).catch(() => null);
    if (!tab) return false;
    if (isBelow(tab.url, FLOW)) return !tab.discarded;
    if (tab.status === "complete" && !tab.pendingUrl && tab.url !== "about:blank") return false; // it was led elsewhere
  }
  return false;
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Closes our tab when it was not needed for a while. One that the person looks at is theirs from then on. */
export async function closeIdleTab() {
  if (Date.now() - lastUsedAt > IDLE_MILLISECONDS) await closeOwnTab();
}

export async function closeOwnTab() {
  const own = await ownTab();
  if (!own) return;
  await setOwnTab(null);
  const tab = await chrome.tabs.get(own.id).catch(() => null);
  if (tab && (own.isAlone || !tab.active)) await chrome.tabs.remove(own.id).catch(() => {});
}
