// Calls with the key, which lives in sessionStorage: a cookie would make every page a caller.

const SLOT = "comfyc-key";
let asking = null;
let askForKey = async () => false;

export class Problem extends Error {
  /** What the server answered: message, code, faults [{field, fault, cure, code}]. */
  constructor(status, body) {
    super(body.message || `The server answered ${status}.`);
    this.status = status;
    this.code = body.code || "";
    this.faults = body.faults || [];
  }
}

export const key = () => sessionStorage.getItem(SLOT) || "";
export const setKey = (text) => sessionStorage.setItem(SLOT, text);

/** `ask` shows the dialog and resolves to whether there is a key to try. */
export function whenKeyIsMissing(ask) {
  askForKey = ask;
}

/** On the machine that serves it, the page is given a key of its own. */
async function borrowKey() {
  const answer = await fetch("/studio/session", { headers: { Accept: "application/json" } });
  if (!answer.ok) return false;
  setKey((await answer.json()).key);
  return true;
}

/** Gets another key; several calls that fail at once ask once. False if nobody gave one. */
async function renewKey(refused) {
  asking ??= (async () => {
    if (key() !== refused) return true;
    sessionStorage.removeItem(SLOT);
    return (await borrowKey()) || askForKey(Boolean(refused));
  })().finally(() => (asking = null));
  return asking;
}

/** fetch with the key; asks for one as often as it is refused. Throws Problem. */
export async function request(path, options = {}) {
  if (!key()) await renewKey("");
  for (;;) {
    const used = key();
    const headers = { ...(options.headers || {}), Authorization: `Bearer ${used}` };
    const answer = await fetch(path, { ...options, headers });
    if (answer.ok) return answer;
    const refused = answer.status === 401 && (await renewKey(used));
    if (!refused) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  }
}

export const get = async (path, options) => (await request(path, options)).json();

export async function post(path, body, options = {}) {
  const headers = { "Content-Type": "application/json" };
  return (await request(path, { ...options, method: "POST", headers, body: JSON.stringify(body) })).json();
}

export async function upload(path, file) {
  const body = new FormData();
  body.append("file", file, file.name || "file");
  return (await request(path, { method: "POST", body })).json();
}

/** Server-sent events of a job, as [kind, data]; connects again where the line breaks before the end. */
export async function* follow(id, signal) {
  for (let wait = 500; !signal.aborted; wait = Math.min(8000, wait * 2)) {
    try {
      const answer = await request(`/v1/jobs/${id}/events`, { signal });
      for await (const [kind, data] of events(answer.body)) {
        wait = 500;
        yield [kind, data];
        if (kind === "job" && ["succeeded", "failed", "cancelled"].includes(data.status)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status < 500) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const kind = lines.find((line) => line.startsWith("event: "));
      const data = lines.find((line) => line.startsWith("data: "));
      if (kind && data) yield [kind.slice(7), JSON.parse(data.slice(6))];
    }
  }
}
