// The popup: what the companion is doing, and its buttons. While it is not paired, it asks whether to pair.

import { DASHBOARD } from "./addresses.js";

const byId = (id) => document.getElementById(id);
const tell = (action, fields = {}) => chrome.runtime.sendMessage({ action, ...fields });
const show = (id, text) => {
  byId(id).textContent = text;
};

async function refresh() {
  const { pairing, isPaused = false, counts } = await chrome.storage.local.get(["pairing", "isPaused", "counts"]);
  const { state = {} } = await chrome.storage.session.get("state");
  byId("paired").hidden = !pairing;
  byId("unpaired").hidden = Boolean(pairing);
  if (!pairing) return;
  show("profile", state.profile ?? "");
  show("state", isPaused ? "Paused. Flowshelf waits for this browser." : state.status || "Connected. Nothing to do.");
  byId("state").classList.toggle("paused", isPaused);
  byId("state").hidden = Boolean(state.problem);
  show("problem", state.problem ?? "");
  show("calls", (counts?.calls ?? 0).toLocaleString("en"));
  show("read", `${((counts?.characters ?? 0) / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`);
  show("pause", isPaused ? "Resume" : "Pause");
}

/** The code on an open page "Connect this browser" of exactly our dashboard; patterns of tabs know no port. */
async function findCode() {
  const { protocol, hostname, origin } = new URL(DASHBOARD);
  const tabs = await chrome.tabs.query({ url: `${protocol}//${hostname}/*` });
  for (const tab of tabs.filter(({ url }) => url.startsWith(`${DASHBOARD}/profiles/connect`))) {
    const read = () => [location.origin, document.querySelector("[data-pairing-code]")?.dataset.pairingCode];
    const results = await chrome.scripting.executeScript({ target: { tabId: tab.id }, func: read }).catch(() => []);
    const [readFrom, code] = results[0]?.result ?? [];
    if (readFrom === origin && /^[0-9a-f]{32}$/.test(code)) return code;
  }
  return null;
}

let foundCode = null;

async function askToPair() {
  foundCode = await findCode();
  byId("typed").hidden = foundCode !== null;
  show("found", foundCode ? "The page “Connect this browser” is open, so its code need not be typed." : "");
}

byId("unpaired").querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const code = foundCode ?? byId("code").value.toLowerCase().replaceAll(/[^0-9a-f]/g, "");
  if (code.length !== 32) return show("problem", "The code has 32 characters. It stands on the page “Connect this browser” of Flowshelf.");
  const { problem } = await tell("pair", { code });
  if (problem) await askToPair(); // the page may have a newer code
  show("problem", problem ?? "");
  return refresh();
});

byId("pause").addEventListener("click", () => tell(byId("pause").textContent.toLowerCase()));

// Pressed twice, because pairing again takes a few steps.
byId("unpair").addEventListener("click", async ({ target }) => {
  if (target.classList.toggle("danger")) return show("unpair", "Really unpair?");
  show("unpair", "Unpair");
  show("profile", "");
  show("problem", "");
  await tell("unpair");
  return askToPair();
});

document.querySelector(".address").textContent = DASHBOARD.replace(/^https?:\/\//, "");
byId("dashboard").href = `${DASHBOARD}/`;
show("version", `Version ${chrome.runtime.getManifest().version}`);
chrome.storage.onChanged.addListener(refresh);
await refresh();
if (!byId("unpaired").hidden) await askToPair();
