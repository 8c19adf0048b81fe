// Runs in the console of a signed-in Flow page, after reading_calls.js: it reads every project, keeps only what
// Flowshelf uses, and saves parts of about 16 MB. It writes nothing, and sends nothing but the calls that read.
const PART_BYTES = 16 * 1024 * 1024;
const MAX_TRIES = 4;
const PAUSE_MILLISECONDS = 300;

const values = window.WIZ_global_data ?? {};
const index = Number(location.pathname.match(/^\/u\/(\d+)\//)?.[1] ?? 0);
const saved = (window.flowshelfSaved ??= new Set()); // until the page is loaded again
let token = values.SNlM0e ?? "", requestId = 100_000, isStopped = false;
let part = [], partBytes = 0, unsaved = [];

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The payload of a call; null when there is none. Throws an Error when Flow refuses it. */
async function call(rpc, free) {
  const body = JSON.stringify([[[rpc, JSON.stringify(READING_CALLS[rpc][2](free)), null, "generic"]]]);
  for (let tries = 1; ; tries += 1) {
    requestId += 100_000;
    const query = { rpcids: rpc, "source-path": "/", bl: values.cfb2h, "f.sid": values.FdrFJe, hl: "en", _reqid: requestId, rt: "c" };
    const form = new URLSearchParams(token ? { "f.req": body, at: token } : { "f.req": body });
    const headers = { "X-Same-Domain": "1", "X-Goog-AuthUser": String(index) };
    const url = `/u/${index}/${CALL_PATH}?${new URLSearchParams(query)}`;
    const response = await fetch(url, { method: "POST", body: form, headers, referrer: "/", cache: "no-store", redirect: "error" }).catch(() => null);
    const text = (await response?.text().catch(() => "")) ?? "";
    const newToken = text.slice(0, 16_384).match(/\["xsrf"\s*,\s*"([^"\\]+)"/)?.[1];
    if (newToken) token = newToken;
    const row = newToken ? null : rowIn(text);
    if (response?.ok && row && !row[5]) return row[2] === null ? null : JSON.parse(row[2]);
    if (tries === MAX_TRIES) throw new Error(`Flow refuses a call (${row?.[5]?.[0] ?? response?.status ?? "no response"})`);
    if (!newToken) await pause(1000 * 2 ** tries);
  }
}

function rowIn(text) {
  try {
    return JSON.parse(text.split("\n").find((line) => line.includes('"wrb.fr"')))[0];
  } catch {
    return null; // cut off
  }
}

// What the reader of Flowshelf looks at. Everything else is left out; `true` stands for something it only counts.

const only = (list, ...places) => (Array.isArray(list) ? list.map((value, place) => (places.includes(place) ? value : null)) : null);
const mark = (value) => (Array.isArray(value) ? [] : value === null || value === undefined ? null : true);

function recordOf(record) {
  return Array.isArray(record) ? record.map((value, place) => slotOf(value, place)) : null;
}

function slotOf(value, place) {
  if (place < 4) return typeof value === "string" ? value : null;
  if (place === 5 && Array.isArray(value)) {
    const about = only(value, 0, 5, 10);
    const prompt = value[6]?.[2]?.[0]?.[0];
    if (typeof prompt === "string") about[6] = [null, null, [[prompt]]];
    if (value.length > 8) about[8] = Array.isArray(value[8]) ? value[8].slice(0, 1) : value[8];
    return about;
  }
  if (place === 6 && Array.isArray(value)) return [only(value[0], 1, 7, 8, 14), mark(value[1]), value[2] ?? null];
  return mark(value);
}

function contentsOf(payload) {
  if (payload === null) return null;
  const [, descriptors, records, ingredients] = payload;
  const about = (descriptor) => [descriptor?.[0] ?? null, null, null, only(descriptor?.[3], 0, 1, 2, 4)];
  const used = (each) => [each?.[0] ?? null, each?.[1] ?? null, each?.[2] ?? null, recordOf(each?.[3])];
  return [null, descriptors?.map(about) ?? null, records?.map(recordOf) ?? null, ingredients?.map(used) ?? null];
}

function add(card, payload) {
  const project = JSON.stringify({ card: [card[0], only(card[1], 0, 2)], contents: contentsOf(payload) });
  const bytes = new Blob([project]).size;
  if (part.length && partBytes + bytes > PART_BYTES) save();
  part.push(project);
  unsaved.push(card[0]);
  partBytes += bytes;
}

function save() {
  if (!part.length) return;
  const head = JSON.stringify({ flowshelfHandover: 1, account: { email: values.oPEP7c ?? "", index }, savedAt: new Date().toISOString() });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([head.slice(0, -1), ',"projects":[', part.join(","), "]}"], { type: "application/json" }));
  link.download = `flowshelf-part-${Date.now()}.json`;
  link.click();
  unsaved.forEach((id) => saved.add(id));
  [part, partBytes, unsaved] = [[], 0, []];
}

window.stopFlowshelf = () => {
  isStopped = true;
};
console.log("Flowshelf reads your projects. Type stopFlowshelf() to stop; what was read is saved.");
const seen = new Set();
let cursor = null, failedCount = 0;
try {
  do {
    const [cards, next] = (await call("UpteDb", cursor)) ?? [];
    const fresh = (cards ?? []).filter((card) => typeof card?.[0] === "string" && !seen.has(card[0]));
    for (const card of fresh) {
      seen.add(card[0]);
      if (isStopped || saved.has(card[0])) continue;
      try {
        add(card, await call("Zzl0ze", card[0]));
      } catch (error) {
        failedCount += 1;
        console.warn(`A project was left out: ${error.message}`);
      }
      await pause(PAUSE_MILLISECONDS);
    }
    cursor = fresh.length ? next ?? null : null;
  } while (cursor !== null && !isStopped);
} finally {
  save();
  console.log(`Flowshelf has read ${saved.size} projects${failedCount ? `; ${failedCount} could not be read` : ""}. Import the parts.`);
}
