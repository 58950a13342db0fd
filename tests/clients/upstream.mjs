// The API behind: a plain Node server that says what it was asked.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";

const large = Buffer.alloc(8 << 20, "waxseal ");

function digest(request, answer) {
  const hash = createHash("sha256");
  request.on("data", (piece) => hash.update(piece));
  request.on("end", () => answer.end(hash.digest("hex")));
}

function events(answer) {
  answer.writeHead(200, { "Content-Type": "text/event-stream" });
  let number = 0;
  const timer = setInterval(() => {
    answer.write(`data: ${++number}\n\n`);
    if (number === 5) {
      clearInterval(timer);
      answer.end();
    }
  }, 200);
  answer.on("close", () => clearInterval(timer));
}

const server = createServer((request, answer) => {
  const path = request.url.split("?")[0];
  if (request.method === "POST") return digest(request, answer);
  switch (path) {
    case "/open/query":
      return answer.end(request.url);
    case "/open/large":
      answer.writeHead(200, { "Content-Length": large.length });
      return answer.end(request.method === "HEAD" ? "" : large);
    case "/open/events":
      return events(answer);
    case "/open/empty":
      return answer.writeHead(204).end();
    case "/open/moved":
      return answer.writeHead(302, { Location: "/open/hello" }).end();
    case "/open/gzip":
      return answer.writeHead(200, { "Content-Encoding": "gzip" }).end(gzipSync("unpacked"));
    case "/open/endless":
      answer.writeHead(200, { "Content-Type": "application/octet-stream" });
      return answer.write("x");
    default:
      return answer.writeHead(200, { "Content-Type": "text/plain", "Content-Length": 5 }).end("hello");
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
