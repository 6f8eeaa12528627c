/** Where GraphiQL keeps tabs and layout: this browser tab only, and never reaching what is not GraphiQL's. */
const PREFIX = 'graphiql:';

const ownKeys = () => Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));

export const editorStorage = {
  getItem: (key: string) => sessionStorage.getItem(key),
  setItem: (key: string, value: string) => sessionStorage.setItem(key, value),
  removeItem: (key: string) => sessionStorage.removeItem(key),
  get length() {
    return ownKeys().length;
  },
  /** GraphiQL's "Clear storage" button: the session is none of its business. */
  clear() {
    for (const key of ownKeys()) sessionStorage.removeItem(key);
  },
};
