/** Light or dark: the person's choice, else the system's. */
export type Theme = 'light' | 'dark';

const KEY = 'refundgql.theme';
const system = window.matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

export function getTheme(): Theme {
  const chosen = localStorage.getItem(KEY);
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return system.matches ? 'dark' : 'light';
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  announce();
}

export function subscribeTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function announce(): void {
  document.documentElement.dataset.theme = getTheme();
  for (const listener of listeners) listener();
}

system.addEventListener('change', announce);
announce();
