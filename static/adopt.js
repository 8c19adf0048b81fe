// The page “Adopt files”: sends one file per request, so that each has its own answer and the bar moves.
// Without this script the form sends all files at once.

const SENT_AT_ONCE = 2;
const form = document.getElementById("adopt");
const input = document.getElementById("files");
const part = (selector) => document.querySelector(selector);
let stop = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  event.stopPropagation(); // app.js would take the page for one that is being left
  if (input.files.length) send([...input.files]);
  else showProblem("Choose files first.");
});
form.addEventListener("dragover", (event) => {
  event.preventDefault();
  form.classList.add("over");
});
form.addEventListener("dragleave", (event) => {
  if (!form.contains(event.relatedTarget)) form.classList.remove("over");
});
form.addEventListener("drop", async (event) => {
  event.preventDefault();
  form.classList.remove("over");
  // Both lists are empty as soon as this function waits.
  const plain = [...event.dataTransfer.files];
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = entries.length ? (await Promise.all(entries.map(filesOf))).flat() : plain;
  if (files.length) send(files);
});
document.getElementById("stop").addEventListener("click", () => stop?.abort());

/** The files of a dropped file or folder, and of the folders below it. Hidden ones are left out. */
async function filesOf(entry) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(filesOf))).flat());
  }
}

async function send(all) {
  if (stop) return;
  const files = all.slice(0, Number(form.dataset.maxFiles));
  const counts = { adopted: 0, known: 0, left: 0 };
  begin(files.length);
  if (all.length > files.length) showProblem(`${all.length.toLocaleString("en")} files are too many at a time. These are the first ${files.length.toLocaleString("en")}.`);
  const queue = files.values();
  try {
    await Promise.all(Array.from({ length: SENT_AT_ONCE }, () => work(queue, counts)));
  } catch (error) {
    stop.abort();
    if (error.name !== "AbortError") showProblem(error.message);
  }
  end(counts, files.length);
}

async function work(queue, counts) {
  for (const file of queue) {
    stop.signal.throwIfAborted();
    const result = await adopt(file);
    counts[result.outcome] += 1;
    if (result.outcome === "left") showLeft(file.name, result.reason);
    part(".under-way progress").value += 1;
    part("#adopt-counts").textContent = sentence(counts);
  }
}

/** Raises an Error with a sentence when it makes no sense to send more. */
async function adopt(file) {
  if (file.size > Number(form.dataset.maxBytes)) {
    return { outcome: "left", reason: `It is larger than ${form.dataset.maxBytes / 1048576} MB.` };
  }
  let answer;
  try {
    const response = await fetch(`${form.dataset.url}?name=${encodeURIComponent(file.name)}`, {
      method: "POST", body: file, signal: stop.signal, headers: { "Content-Type": "application/octet-stream" },
    });
    answer = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (error.name === "NotReadableError") return { outcome: "left", reason: "It cannot be read." };
    throw new Error("Flowshelf does not respond. Check that it is still running, then send the files again.");
  }
  if (!answer.success) throw new Error(answer.error);
  return answer.data;
}

function begin(count) {
  stop = new AbortController();
  const bar = part(".under-way progress");
  bar.max = count;
  bar.value = 0;
  part("#left-files ul").replaceChildren();
  for (const id of ["#left-files", "#adopt-problem"]) part(id).hidden = true;
  part("#adopt-counts").textContent = "";
  part("#adopt-counts").setAttribute("aria-live", "off");
  part("#adopted-files").hidden = part(".under-way").hidden = false;
  document.getElementById("send").disabled = true;
}

function end(counts, total) {
  const unsent = total - counts.adopted - counts.known - counts.left;
  stop = null;
  part(".under-way").hidden = true;
  document.getElementById("send").disabled = false;
  part("#adopt-counts").setAttribute("aria-live", "polite");
  part("#adopt-counts").textContent = sentence(counts) + (unsent ? ` ${unsent.toLocaleString("en")} were not sent.` : "");
  form.reset();
  part("#adopted-files").focus();
}

function sentence(counts) {
  const [adopted, known, left] = [counts.adopted, counts.known, counts.left].map((count) => count.toLocaleString("en"));
  return `${adopted} adopted, ${known} known already, ${left} not taken.`;
}

function showLeft(name, reason) {
  const row = document.createElement("li"), code = document.createElement("code"), words = document.createElement("span");
  code.textContent = name;
  words.textContent = reason;
  row.append(code, " ", words);
  part("#left-files ul").append(row);
  part("#left-files").hidden = false;
}

function showProblem(text) {
  part("#adopt-problem").textContent = text;
  part("#adopt-problem").hidden = part("#adopted-files").hidden = false;
}
