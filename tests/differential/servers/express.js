'use strict';
// Express, one application for each way of routing; the ports come as arguments.
const express = require('express');

const GUARDED = '/api/service/updateInventory';
// By these an application behind a rewriting proxy learns what was asked for (IIS, Symfony, Zend, Envoy and their kin).
const URLS = ['x-original-url', 'x-original-uri', 'x-rewrite-url', 'x-override-url', 'x-http-destinationurl',
  'x-forwarded-uri', 'x-forwarded-path', 'x-envoy-original-path'];
const METHODS = ['x-http-method-override', 'x-http-method', 'x-method-override'];

const answer = served => (request, response) => {
  response.set('X-Served', served).type('text').send(`${served} ${request.originalUrl}\n`);
};

// Header names as CGI folds them: `X_Original_URL` is `X-Original-URL`.
function folded(request, names) {
  for (const [name, value] of Object.entries(request.headers)) {
    if (names.includes(name.replace(/_/g, '-'))) return value;
  }
}

function overridden(request, response, next) {
  const method = (folded(request, METHODS) || '').split(',')[0].trim().toUpperCase();
  // An answer as to a HEAD would leave the client waiting for its body.
  if (['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].includes(method)) request.method = method;
  const url = folded(request, URLS);
  if (url && url.startsWith('/')) request.url = url;
  next();
}

// A route of one method, which overrides can reach.
const post = express();
post.use(overridden);
post.post(GUARDED, answer('guarded'));

// An application mounted at the path, which serves all below it.
const mount = express();
mount.use(GUARDED, answer('guarded'));

// The parts of the path as parameters, each of them decoded.
const parameters = express();
parameters.all('/api/:kind/:name', (request, response, next) => {
  const { kind, name } = request.params;
  const guarded = kind === 'service' && name.toLowerCase() === 'updateinventory';
  guarded ? answer('guarded')(request, response) : next();
});

[post, mount, parameters].forEach((application, at) => {
  application.use(answer('other'));
  // What fails is refused without a trace of its stack.
  application.use((error, request, response, next) => response.status(error.status || 500).end());
  application.listen({ host: '127.0.0.1', port: Number(process.argv[2 + at]), keepAliveTimeout: 60000 });
});
