/** Monaco's helpers run in module workers of our own origin, so the policy needs neither blob: nor eval. */
import LanguageWorker from './language.worker?worker';

globalThis.MonacoEnvironment = {
  getWorker: (_id: string, label: string): Worker => new LanguageWorker({ name: label }),
};
