// Use graphql-sse's own client in distinct connections mode and print what it heard as JSON.
import { createClient } from 'graphql-sse';

const [url, token, mode] = process.argv.slice(2);

if (mode === 'keep') {
  // Leave coming back to the client, as it does by default; only the cursor is kept up to date.
  const numbers = [];
  const payload = { query: 'subscription($after: String) { counts(to: 30, delay: 0.1, after: $after) { number cursor } }', variables: { after: null } };
  const kept = createClient({ url, headers: { authorization: `Bearer ${token}` } });
  const error = await new Promise((resolve) => kept.subscribe(payload, {
    next: ({ data }) => {
      numbers.push(data.counts.number);
      payload.variables.after = data.counts.cursor;
      if (numbers.length === 1) console.log('started');
    },
    error: (error) => resolve(String(error?.message ?? error)),
    complete: () => resolve(null),
  }));
  console.log(JSON.stringify({ numbers, error }));
  process.exit(0);
}

const client = createClient({ url, headers: { authorization: `Bearer ${token}` }, retryAttempts: 0 });

function all(payload) {
  return new Promise((resolve) => {
    const heard = [];
    client.subscribe(payload, {
      next: (result) => heard.push(result),
      error: (error) => resolve({ heard, error: String(error.message ?? error) }),
      complete: () => resolve({ heard }),
    });
  });
}

const query = await all({ query: '{ me }' });
const mutation = await all({ query: 'mutation { act }' });
const subscription = await all({ query: 'subscription { counts(to: 5, delay: 0.05) { number } }' });
const bad = await all({ query: '{' });
let stopped = 0;
for await (const _ of client.iterate({ query: 'subscription { counts(to: 1000, delay: 0.01) { number } }' })) {
  stopped += 1;
  if (stopped === 3) break;
}
client.dispose();
console.log(JSON.stringify({ query, mutation, subscription, bad, stopped }));
process.exit(0);
