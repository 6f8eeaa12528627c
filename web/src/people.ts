/** The people of a demo, and whom the page's address asks for; a server for real has none of either. */
export type DemoPerson = { name: string; role: string; externalRef: string; token: string; shortToken: string };

let asked: Promise<DemoPerson[]> | null = null;

/** Ask for the demo's people; elsewhere there is no such file and nobody. */
export function loadPeople(): Promise<DemoPerson[]> {
  asked ??= fetch(new URL('graphiql/people.json', document.baseURI), { cache: 'no-store' })
    .then((response) => (response.ok ? (response.json() as Promise<DemoPerson[]>) : []))
    .catch(() => {
      asked = null;
      return [];
    });
  return asked;
}

/** Take the wish `#person=REF` out of the address, so that a reload does not sign somebody in again. */
export function takeWishedPerson(): string | null {
  const wished = new URLSearchParams(window.location.hash.slice(1)).get('person');
  if (wished !== null) history.replaceState(null, '', window.location.pathname + window.location.search);
  return wished;
}
