'use strict';
// Plain Node: one server for each way in which people find out what a URL names; the ports come as arguments.
const http = require('http');
const path = require('path');
const url = require('url');

const GUARDED = '/api/service/updateInventory';
const BASE = 'http://oms.example';

const stable = text => {
  for (let next = decodeURIComponent(text); next !== text; next = decodeURIComponent(text)) text = next;
  return text;
};

const WAYS = [
  // url
  target => new URL(target, BASE).pathname === GUARDED,
  // url-decoded
  target => decodeURIComponent(new URL(target, BASE).pathname) === GUARDED,
  // legacy
  target => url.parse(target).pathname.toLowerCase() === GUARDED.toLowerCase(),
  // prefix
  target => target.startsWith(GUARDED) && /^($|[/?#;])/.test(target.slice(GUARDED.length)),
  // normal
  target => path.posix.normalize(decodeURIComponent(target.split('?')[0])).replace(/\/$/, '') === GUARDED,
  // folded: everything undone that can be undone
  target => stable(target.split('?')[0]).normalize('NFKC').replace(/\\/g, '/').replace(/;[^/]*/g, '')
    .replace(/\/+/g, '/').toUpperCase().replace(/\/$/, '') === GUARDED.toUpperCase(),
];

WAYS.forEach((guards, at) => {
  const server = http.createServer((request, response) => {
    let served;
    try {
      served = guards(request.url) ? 'guarded' : 'other';
    } catch {
      response.writeHead(400);
      response.end();
      return;
    }
    response.writeHead(200, { 'X-Served': served, 'Content-Type': 'text/plain' });
    response.end(Buffer.from(`${served} ${request.url}\n`, 'latin1'));
  });
  server.keepAliveTimeout = 60000;
  server.listen(Number(process.argv[2 + at]), '127.0.0.1');
});
