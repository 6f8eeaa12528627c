/** Where GraphiQL keeps tabs and layout: this browser tab only, each person's apart, never reaching what is not GraphiQL's. */
import type { StorageAPI } from '@graphiql/toolkit';

type Kept = NonNullable<ConstructorParameters<typeof StorageAPI>[0]>;

/** GraphiQL writes `graphiql:NAME`; a person's are kept as `graphiql:REF:NAME`. */
export function editorStorage(who: string): Kept {
  const prefix = `graphiql:${who}:`;
  const own = (key: string) => key.replace(/^graphiql:/, prefix);
  const ownKeys = () => Object.keys(sessionStorage).filter((key) => key.startsWith(prefix));
  return {
    getItem: (key: string) => sessionStorage.getItem(own(key)),
    setItem: (key: string, value: string) => sessionStorage.setItem(own(key), value),
    removeItem: (key: string) => sessionStorage.removeItem(own(key)),
    get length() {
      return ownKeys().length;
    },
    /** GraphiQL's "Clear storage" button: the session is none of its business. */
    clear() {
      for (const key of ownKeys()) sessionStorage.removeItem(key);
    },
  };
}
