/** Ask whoever signs people in for a token that is good from now on; rejects with `SignedOut` when a person has to do it. */
export type Renew = () => Promise<string>;

export class SignedOut extends Error {
  override message = 'Sign in again.';
}

/** The token that HTTP and the socket share: whichever is refused first has it replaced for both, once. */
export class Token {
  private held: Promise<string> | undefined;

  constructor(private readonly renew: Renew) {}

  get(): Promise<string> {
    const asked = (this.held ??= this.renew());
    asked.catch(() => this.refused(asked));
    return asked;
  }

  /** Forget the one that was refused; a newer one stays. */
  refused(one: Promise<string> | undefined): void {
    if (this.held === one) this.held = undefined;
  }
}
