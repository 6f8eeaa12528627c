/** The sign-in dialog: pick a person of the demo, or paste a token. */
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { type DemoPerson, loadPeople } from './people';
import { signIn } from './session';

export function SignInDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [people, setPeople] = useState<DemoPerson[]>([]);
  const [pasted, setPasted] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    const element = dialog.current!;
    if (open && !element.open) {
      setProblem(null);
      element.showModal();
      void loadPeople().then(setPeople);
    } else if (!open && element.open) {
      element.close();
    }
  }, [open]);

  const enter = async (token: string) => {
    setBusy(true);
    setProblem(null);
    try {
      await signIn(token);
      setPasted('');
      onClose();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void enter(pasted);
  };

  return (
    <dialog ref={dialog} className="sign-in" aria-labelledby="sign-in-title" onClose={onClose}>
      <h2 id="sign-in-title">Sign in</h2>
      {people.length > 0 && (
        <section aria-labelledby="demo-title">
          <h3 id="demo-title">Somebody of the demo</h3>
          <ul className="people">
            {people.map((person) => (
              <li key={`${person.externalRef} ${person.role}`}>
                <button type="button" disabled={busy} onClick={() => void enter(person.token)}>
                  <span>{person.name}</span>
                  <span className="role">{person.role}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <form onSubmit={submit} noValidate>
        <label htmlFor="token">{people.length > 0 ? 'Or paste a token' : 'Paste a token'}</label>
        <textarea
          id="token"
          rows={4}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          placeholder="eyJ…"
          aria-describedby="token-help"
          aria-invalid={problem !== null}
          value={pasted}
          onChange={(event) => setPasted(event.target.value)}
        />
        <p id="token-help" className="help">
          <code>refundgql token --as REF</code> makes one. It stays in this browser tab, until it expires or you sign out.
        </p>
        <p className="problem" role="alert">
          {problem}
        </p>
        <div className="buttons">
          <button type="button" className="quiet" onClick={onClose}>
            Look around without
          </button>
          <button type="submit" className="primary" disabled={busy}>
            {busy ? 'Asking the server…' : 'Sign in'}
          </button>
        </div>
      </form>
    </dialog>
  );
}
