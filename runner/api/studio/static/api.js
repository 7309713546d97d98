// Calls with the key, which lives in sessionStorage: a cookie would make every page a caller.

const SLOT = "comfyc-key";
const SILENCE_MS = 45000; // three pulses of the server's event stream: the line is dead, whatever it seems
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
  const answer = await reached("/studio/session", { headers: { Accept: "application/json" } });
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

/** fetch with the key; asks people for one as often as it is refused, but never where `ask` is false. Throws Problem. */
export async function request(path, { ask = true, ...options } = {}) {
  const renew = (refused) => (ask ? renewKey(refused) : key() !== refused || borrowKey());
  if (!key()) await renew("");
  for (;;) {
    const used = key();
    const headers = { ...(options.headers || {}), Authorization: `Bearer ${used}` };
    const answer = await reached(path, { ...options, headers });
    if (answer.ok) return answer;
    const again = answer.status === 401 && (await renew(used));
    if (!again) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  }
}

async function reached(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { message: "The server cannot be reached." });
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
    const line = new AbortController();
    let timer = 0;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => line.abort(), SILENCE_MS);
    };
    try {
      heard();
      const answer = await request(`/v1/jobs/${id}/events`, { signal: AbortSignal.any([signal, line.signal]) });
      for await (const [kind, data] of events(answer.body, heard)) {
        wait = 500;
        yield [kind, data];
        if (kind === "job" && ["succeeded", "failed", "cancelled"].includes(data.status)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status >= 400 && error.status < 500) throw error;
    } finally {
      clearTimeout(timer);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

async function* events(stream, heard) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
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
