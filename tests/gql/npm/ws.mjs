// Use graphql-ws's own client as an app would and print what it heard as JSON.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token, mode] = process.argv.slice(2);
const closes = [];
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: `Bearer ${token}` },
  keepAlive: 200,
  retryAttempts: 5,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 300)),
  on: { closed: (event) => closes.push({ code: event.code, reason: event.reason }) },
});

// Every result of one operation, or the error that ended it.
function all(payload, onNext = () => {}) {
  return new Promise((resolve) => {
    const heard = [];
    client.subscribe(payload, {
      next: (result) => { heard.push(result); onNext(result); },
      error: (error) => resolve({ heard, error: Array.isArray(error) ? error.map((e) => e.message) : { code: error.code, reason: error.reason } }),
      complete: () => resolve({ heard }),
    });
  });
}

if (mode === 'operations') {
  const [query, mutation, subscription, bad, refused] = await Promise.all([
    all({ query: '{ me }' }),
    all({ query: 'mutation { act }' }),
    all({ query: 'subscription($to: Int!) { counts(to: $to, delay: 0.05) { number } }', variables: { to: 10 } }),
    all({ query: '{' }),
    all({ query: 'subscription { refused { number } }' }),
  ]);
  // Stop one in the middle.
  let stopped = 0;
  await new Promise((resolve) => {
    const stop = client.subscribe({ query: 'subscription { counts(to: 1000, delay: 0.01) { number } }' }, {
      next: () => { stopped += 1; if (stopped === 3) stop(); },
      error: () => resolve(),
      complete: () => resolve(),
    });
  });
  await client.dispose();
  console.log(JSON.stringify({ query, mutation, subscription, bad, refused, stopped, closes }));
} else if (mode === 'until-closed') {
  const outcome = await all({ query: 'subscription { quiet { number } }' });
  console.log(JSON.stringify({ outcome, closes }));
} else if (mode === 'keep') {
  // Leave coming back to the client, as it does by default; only the cursor is kept up to date.
  const closes = [];
  const kept = createClient({
    url, webSocketImpl: WebSocket, connectionParams: { token },
    on: { closed: (event) => { closes.push({ code: event.code, reason: event.reason }); console.log('closed'); } },
  });
  const numbers = [];
  const payload = { query: 'subscription($after: String) { counts(to: 30, delay: 0.1, after: $after) { number cursor } }', variables: { after: null } };
  const error = await new Promise((resolve) => kept.subscribe(payload, {
    next: ({ data }) => {
      numbers.push(data.counts.number);
      payload.variables.after = data.counts.cursor;
      if (numbers.length === 1) console.log('started');
    },
    error: (error) => resolve(String(error?.code ?? error)),
    complete: () => resolve(null),
  }));
  console.log(JSON.stringify({ numbers, closes, error }));
} else if (mode === 'resume') {
  // Follow a stream over restarts, coming back with the cursor of the last event, as apps do.
  const numbers = [];
  let after = null;
  while (numbers.at(-1) !== 12) {
    const payload = { query: 'subscription($after: String) { counts(to: 12, delay: 0.1, after: $after) { number cursor } }', variables: { after } };
    await new Promise((resolve) => {
      const once = createClient({
        url, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: { token },
        on: { closed: (event) => closes.push({ code: event.code, reason: event.reason }) },
      });
      once.subscribe(payload, {
        next: ({ data }) => { numbers.push(data.counts.number); after = data.counts.cursor; if (numbers.length === 1) console.log('started'); },
        error: () => resolve(),
        complete: () => resolve(),
      });
    });
    if (numbers.at(-1) !== 12) await new Promise((resolve) => setTimeout(resolve, 200));
  }
  console.log(JSON.stringify({ numbers, closes }));
}
process.exit(0);
