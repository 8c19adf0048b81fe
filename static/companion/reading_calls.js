// The reading calls of Flow that Flowshelf makes, for the companion and for the script of a hand-over.

export const CALL_PATH = "_/AiSandboxAngularFrontend/data/batchexecute";
export const PERSON = [["me"], [[["person.photo", "person.name", "person.email", "person.metadata"]], null, [1, 7, 10]]];

const isId = (value) => typeof value === "string" && /^[^\s/]{1,200}$/.test(value);
const isCursor = (value) => value === null || (typeof value === "string" && value.length <= 10_000);

// Each call: where its one free value stands, which values that may have, and all arguments around it.
export const READING_CALLS = {
  UpteDb: [(given) => given[2], isCursor, (cursor) => ["projects/*", 20, cursor, null, null, null, [1]]],
  Zzl0ze: [(given) => String(given[0]).slice(9), isId, (id) => [`projects/${id}`, null, null, null, [1]]],
  as29s: [(given) => given[0], isId, (id) => [id]],
  o30O0e: [() => null, () => true, () => PERSON],
};
