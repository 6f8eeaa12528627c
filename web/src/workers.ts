/** Monaco's helpers run in module workers of our own origin, so the policy needs neither blob: nor eval. */
import file from './language.worker?worker&url';
import { again } from './patience';

/** A worker whose file does not come is not asked for again by anybody; from the browser's cache it comes. */
const arrived = again(async () => {
  const answer = await fetch(file);
  if (answer.status >= 500) throw new Error(`${answer.status}`);
  await answer.arrayBuffer();
});

globalThis.MonacoEnvironment = {
  getWorker: async (_id: string, label: string): Promise<Worker> => {
    await arrived;
    return new Worker(file, { type: 'module', name: label });
  },
};
