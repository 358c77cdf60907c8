/** The stage of an act: where the stack is, how to sign in, and how to print a step and its time. */
export type Stage = {
  url: string
  anonKey: string
  /** The contents of `$PLINTH_HOME/env`, for the parts of operators and workers. */
  env: Record<string, string>
  /** The stack's folder. */
  home: string
  /** Returns a user's token, and creates the user if needed. */
  tokenFor(email: string): Promise<string>
  step(what: string, ms?: number): void
}

export async function timed<T>(work: () => PromiseLike<T>): Promise<{ value: T; ms: number }> {
  const start = performance.now()
  const value = await work()
  return { value, ms: performance.now() - start }
}

export function must(fact: boolean, otherwise: string): void {
  if (!fact) throw new Error(`The demo failed: ${otherwise}.`)
}
