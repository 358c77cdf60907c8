/** What an act gets: where the stack is, who signs in, and how to tell the audience what happened and how long it took. */
export type Stage = {
  url: string
  anonKey: string
  /** All that `$PLINTH_HOME/env` holds: for what operators and workers do. */
  env: Record<string, string>
  /** The stack's folder. */
  home: string
  /** A user's token; the user is created if needed. */
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
