/**
 * The live view: what a subscription told, as a log that belongs to its tab; and answers that came late for theirs.
 *
 * GraphiQL stops a subscription when another tab is looked at; the log goes on behind it, and is there on return.
 */
import type { ExecutionResult } from 'graphql';
import type { Answer } from './answers';
import { getLiveStatus, follow, type Request, subscribeLiveStatus } from './live';
import { clockTime } from './session';

/** The oldest lines go first. */
const LINES_AT_MOST = 200;

type Line = { at: string; what: string; data: unknown };
type Feed = {
  tab: string;
  key: string;
  lines: Line[];
  told: number;
  ended: string | null;
  leaving: number | undefined;
  stop: () => void;
  listeners: Set<() => void>;
};

const feeds = new Map<string, Feed>();
const late = new Map<string, Answer>();
let activeTab = '';
let openTabs: string[] = [];
let showLate: (answer: Answer) => void = () => {};

export const lookedAt = (): string => activeTab;

/** Say which tab is looked at, which are open, and how an answer is shown; what belongs to a tab ends with it. */
export function noteTabs(active: string, open: string[], shown: (answer: Answer) => void): void {
  activeTab = active;
  openTabs = open;
  showLate = shown;
  for (const feed of [...feeds.values()]) if (!open.includes(feed.tab)) end(feed);
  for (const tab of [...late.keys()]) if (!open.includes(tab)) late.delete(tab);
  tellLate();
}

/** Keep an answer that came while another tab was looked at, or was pressed in. */
export function keepFor(tab: string, answer: Answer | AsyncIterableIterator<unknown>): void {
  if (Symbol.asyncIterator in answer || !openTabs.includes(tab)) return; // a stream runs on behind its tab
  late.set(tab, answer);
  tellLate();
}

function tellLate(): void {
  const answer = late.get(activeTab);
  late.delete(activeTab);
  if (answer) showLate(answer);
}

/** Tell whether a tab's stream still runs behind it. */
export const runsBehind = (tab: string): boolean => feeds.get(tab)?.ended === null;

function end(feed: Feed): void {
  feeds.delete(feed.tab);
  feed.stop();
}

/** Show a subscription in its tab: the one that runs there already, or a new one. */
export function show(tab: string, request: Request): AsyncIterableIterator<ExecutionResult> {
  const { after: _, ...asked } = request.variables ?? {};
  const key = JSON.stringify([request.query, asked]);
  let feed = feeds.get(tab);
  if (feed?.key !== key || feed.ended !== null) {
    if (feed) end(feed);
    feed = start(tab, key, request);
  }
  return looking(feed);
}

function start(tab: string, key: string, request: Request): Feed {
  const seen = new Map<string, Record<string, unknown>>();
  const feed: Feed = { tab, key, lines: [], told: 0, ended: null, leaving: undefined, stop: () => {}, listeners: new Set() };
  const ring = () => feed.listeners.forEach((listener) => listener());
  const offStatus = subscribeLiveStatus(ring);
  feed.stop = follow(request, {
    next: (data) => {
      feed.told += 1;
      feed.lines.unshift({ at: new Date().toLocaleTimeString(), what: changes(data, seen), data });
      feed.lines.length = Math.min(feed.lines.length, LINES_AT_MOST);
      ring();
    },
    end: (why) => {
      feed.ended = why ?? 'Stopped.';
      offStatus();
      ring();
    },
  });
  feeds.set(tab, feed);
  return feed;
}

/** What one tab shows of its feed; leaving the tab leaves the feed alone, Stop ends it. */
function looking(feed: Feed): AsyncIterableIterator<ExecutionResult> {
  let stale = true;
  let over = false;
  let waiting: (() => void) | null = null;
  const ring = () => {
    stale = true;
    waiting?.();
  };
  feed.listeners.add(ring);
  window.clearTimeout(feed.leaving);
  const leave = () => {
    over = true;
    feed.listeners.delete(ring);
    waiting?.();
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      // The last line and the reason are shown before the iterator ends.
      while (!stale && !over) {
        if (feed.ended !== null) {
          leave();
          break;
        }
        await new Promise<void>((resolve) => (waiting = resolve));
      }
      if (over) return { done: true, value: undefined };
      stale = false;
      return { done: false, value: page(feed) as ExecutionResult };
    },
    async return() {
      leave();
      // GraphiQL stops first and changes the tab then, in one go: after that it is known which of the two it was.
      feed.leaving = window.setTimeout(() => feed.tab === activeTab && feeds.get(feed.tab) === feed && end(feed));
      return { done: true, value: undefined };
    },
  };
}

function page(feed: Feed): object {
  const { state, since } = getLiveStatus();
  const live =
    feed.ended ??
    (state === 'live'
      ? `Live since ${clockTime(since)}.`
      : state === 'reconnecting'
        ? `Cut off at ${clockTime(since)}; reconnecting, and going on after the last update.`
        : 'Connecting.');
  return { live, told: feed.told, updates: feed.lines };
}

/** One line on what an update changed, against the last one about the same case. */
function changes(data: Record<string, unknown>, seen: Map<string, Record<string, unknown>>): string {
  const update = Object.values(data)[0] as { event?: { name?: string } | null; refundCase?: Record<string, unknown>; matchesFilter?: boolean } | null;
  const now = update?.refundCase;
  if (!now) return '';
  const key = String(now.id ?? now.number ?? '');
  const before = seen.get(key);
  seen.set(key, now);
  const changed = Object.keys(now)
    .filter((field) => before && JSON.stringify(before[field]) !== JSON.stringify(now[field]))
    .map((field) => `${field}: ${inWords(before![field])} → ${inWords(now[field])}`);
  const left = update.matchesFilter === false ? ['left the list'] : [];
  const head = [now.number, update.event?.name ?? 'as it is now'].filter(Boolean).join(' ');
  return [head, ...changed, ...left].join('; ');
}

const inWords = (value: unknown): string => (typeof value === 'object' && value !== null ? Object.values(value).map(inWords).join(' ') : String(value ?? 'none'));
