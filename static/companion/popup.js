// The popup: what the companion is doing, and its buttons. While it is not paired, it asks whether to pair.

import { DASHBOARD } from "./addresses.js";
import { storedPairings } from "./relay.js";

const byId = (id) => document.getElementById(id);
const tell = (action, fields = {}) => chrome.runtime.sendMessage({ action, ...fields });
const show = (id, text) => {
  byId(id).textContent = text;
};
let isAsking = false; // for another account

async function refresh() {
  const [pairings, states] = [await storedPairings(), await chrome.storage.session.get(null)];
  const { isPaused = false, counts } = await chrome.storage.local.get(["isPaused", "counts"]);
  byId("paired").hidden = pairings.length === 0;
  byId("unpaired").hidden = pairings.length > 0 && !isAsking;
  byId("another").hidden = isAsking;
  byId("dashboard").href = byId("unpaired").hidden ? `${DASHBOARD}/` : `${DASHBOARD}/profiles/connect`;
  byId("pairings").replaceChildren(...pairings.map(({ id }) => rowOf(id, states[`state ${id}`] ?? {}, isPaused)));
  show("calls", (counts?.calls ?? 0).toLocaleString("en"));
  show("read", `${((counts?.characters ?? 0) / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`);
  show("pause", isPaused ? "Resume" : "Pause");
}

/** One account: the name of its profile, what happens, and its button. */
function rowOf(id, { profile, status, problem }, isPaused) {
  const [row, name, sentence, button] = ["li", "b", "p", "button"].map((tag) => document.createElement(tag));
  name.textContent = profile ?? "Connected";
  const idle = profile ? "Nothing to do." : "Choose the account in Flowshelf.";
  sentence.textContent = problem ?? (isPaused ? "Paused. Flowshelf waits for this browser." : status || idle);
  row.className = problem ? "problem" : isPaused ? "paused" : "";
  button.textContent = unpairing === id ? "Really unpair?" : "Unpair";
  button.classList.toggle("danger", unpairing === id);
  button.addEventListener("click", () => unpair(id));
  row.append(name, button, sentence);
  return row;
}

let unpairing = null;

/** Pressed twice, because pairing again takes a few steps. */
async function unpair(id) {
  const isSure = unpairing === id;
  unpairing = isSure ? null : id;
  if (isSure) await tell("unpair", { id });
  await refresh();
  if (!byId("unpaired").hidden) await askToPair();
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
  show("found", "");
  foundCode = await findCode();
  byId("typed").hidden = foundCode !== null;
  show("found", foundCode ? "The page “Connect this browser” is open, so its code need not be typed." : "");
}

byId("unpaired").querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const code = foundCode ?? byId("code").value.toLowerCase().replaceAll(/[^0-9a-f]/g, "");
  if (code.length !== 32) return show("problem", "The code has 32 characters. It stands on the page “Connect this browser” of Flowshelf.");
  const { problem } = await tell("pair", { code });
  isAsking &&= Boolean(problem);
  if (problem) await askToPair(); // the page may have a newer code
  show("problem", problem ?? "");
  return refresh();
});

byId("pause").addEventListener("click", () => tell(byId("pause").textContent.toLowerCase()));
byId("another").addEventListener("click", async () => {
  isAsking = true;
  await askToPair();
  await refresh();
});

document.querySelector(".address").textContent = DASHBOARD.replace(/^https?:\/\//, "");
show("version", `Version ${chrome.runtime.getManifest().version}`);
chrome.storage.onChanged.addListener(refresh);
await refresh();
if (!byId("unpaired").hidden) await askToPair();
