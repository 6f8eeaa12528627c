// Use graphql-sse's own client in distinct connections mode and print what it heard as JSON.
import { createClient } from 'graphql-sse';

const [url, token] = process.argv.slice(2);
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
