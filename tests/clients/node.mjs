// Node's fetch. Prints what it found, a line a step: its name, a tab, the finding.
import { createHash } from "node:crypto";

const [, , base, token] = process.argv;
const said = (name, finding) => console.log(`${name}\t${finding}`);
const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");
const bearer = { Authorization: `Bearer ${token}` };

const hello = await fetch(`${base}/open/hello`);
said("open", `${hello.status} ${await hello.text()}`);

const refused = await fetch(`${base}/api/guarded`, { method: "POST", body: "{}" });
said("refused", `${refused.status} ${refused.headers.has("www-authenticate")} ${(await refused.json()).code}`);

const bad = await fetch(`${base}/api/guarded`, { method: "POST", body: "{}", headers: { Authorization: "Bearer x.y.z" } });
said("bad", `${bad.status} ${(await bad.json()).code}`);

const body = '{"delta":-1}';
const allowed = await fetch(`${base}/api/guarded`, { method: "POST", body, headers: bearer });
said("allowed", `${allowed.status} ${(await allowed.text()) === sha(body)}`);

const upload = Buffer.alloc(1 << 20, "upload");
const stream = new ReadableStream({
  start(controller) {
    for (let at = 0; at < upload.length; at += 65536) controller.enqueue(upload.subarray(at, at + 65536));
    controller.close();
  },
});
const chunked = await fetch(`${base}/api/guarded`, { method: "POST", body: stream, duplex: "half", headers: bearer });
said("upload", `${chunked.status} ${(await chunked.text()) === sha(upload)}`);

const large = await fetch(`${base}/open/large`);
const bytes = Buffer.from(await large.arrayBuffer());
said("large", `${large.status} ${bytes.length} ${sha(bytes)}`);

const events = await fetch(`${base}/open/events`);
let first = 0, text = "";
for await (const piece of events.body) {
  first ||= performance.now();
  text += Buffer.from(piece);
}
said("events", `${text.match(/data: /g).length} ${performance.now() - first > 400}`);

const head = await fetch(`${base}/open/large`, { method: "HEAD" });
said("head", `${head.status} ${head.headers.get("content-length")} ${(await head.text()).length}`);
const empty = await fetch(`${base}/open/empty`);
said("empty", `${empty.status} ${(await empty.text()).length}`);
const moved = await fetch(`${base}/open/moved`, { redirect: "manual" });
said("moved", `${moved.status} ${moved.headers.get("location")}`);
said("gzip", await (await fetch(`${base}/open/gzip`)).text());
const query = "/open/query?x=%7B%22a%22%3A1%7D&list=a&list=b&slash=%2F+";
said("query", (await (await fetch(base + query)).text()) === query);

const abort = new AbortController();
const endless = await fetch(`${base}/open/endless`, { signal: abort.signal });
await endless.body.getReader().read();
abort.abort();
said("after a break", (await fetch(`${base}/open/hello`)).status);

let good = 0;
for (let number = 0; number < 200; number += 1) good += (await (await fetch(`${base}/open/hello`)).text()) === "hello";
const parallel = Array.from({ length: 50 }, async () => (await (await fetch(`${base}/open/hello`)).text()) === "hello");
good += (await Promise.all(parallel)).filter(Boolean).length;
said("many", good);
