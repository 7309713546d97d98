// A request as a program would send it.

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

export function curl(call, values) {
  const body = JSON.stringify({ ...call.fixed, ...values });
  return [
    `curl -s ${location.origin}${call.path} \\`,
    `  -H "${call.header.replace("{key}", "$COMFYC_KEY")}" -H 'Content-Type: application/json' \\`,
    `  -d ${quoted(body)}`,
  ].join("\n");
}

/** Python 3 without packages; of a template's job it waits for the end and prints the links. */
export function python(call, values) {
  const body = literal({ ...call.fixed, ...values });
  const [header, form] = call.header.split(": ");
  const lines = [
    "import json, os, time, urllib.request",
    "",
    `BASE, KEY = ${literal(location.origin)}, os.environ["COMFYC_KEY"]`,
    "",
    "",
    "def call(path, body=None):",
    `    headers = {${literal(header)}: f${literal(form.replace("{key}", "{KEY}"))}, "Content-Type": "application/json"}`,
    "    data = None if body is None else json.dumps(body).encode()",
    "    with urllib.request.urlopen(urllib.request.Request(BASE + path, data, headers)) as answer:",
    "        return json.load(answer)",
    "",
    "",
    `job = call(${literal(call.path)}, ${body})`,
  ];
  if (!call.path.startsWith("/v1/")) return [...lines, "print(job)", ""].join("\n");
  return [
    ...lines,
    'while job["status"] in ("queued", "running"):',
    "    time.sleep(1)",
    "    job = call(f\"/v1/jobs/{job['id']}\")",
    'print(job["status"], *(output["url"] for output in job["outputs"]), sep="\\n")',
    "",
  ].join("\n");
}

/** A JSON value as Python writes it. JSON's strings are Python's, but for characters beyond 16 bits, which stay. */
export function literal(value, indent = 0) {
  const pad = " ".repeat(indent + 4);
  const wrap = (parts, open, close) =>
    parts.length ? `${open}\n${parts.map((part) => `${pad}${part},\n`).join("")}${" ".repeat(indent)}${close}` : open + close;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return wrap(value.map((item) => literal(item, indent + 4)), "[", "]");
  if (typeof value === "object") {
    return wrap(Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${literal(item, indent + 4)}`), "{", "}");
  }
  return JSON.stringify(value);
}
