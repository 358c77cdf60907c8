import type { StepSpec } from '../../../worker/steps/define_handler.ts'

/** The shape of a run: its number of steps, and its dependencies by the numbers of the steps. */
export type Shape = { steps: number; edges: [from: number, to: number][] }

export const chain = (n: number): Shape => ({
  steps: n,
  edges: Array.from({ length: n - 1 }, (_one, i) => [i, i + 1]),
})

export const fan = (n: number): Shape => ({
  steps: n + 2,
  edges: Array.from({ length: n }, (_one, i): [number, number][] => [
    [0, i + 1],
    [i + 1, n + 1],
  ]).flat(),
})

export const diamond: Shape = {
  steps: 4,
  edges: [
    [0, 1],
    [0, 2],
    [1, 3],
    [2, 3],
  ],
}

export const flat = (n: number): Shape => ({ steps: n, edges: [] })

/** Turns a shape into a run of no-op steps. */
export function toSpec({ steps, edges }: Shape): StepSpec {
  const list: StepSpec[] = Array.from({ length: steps }, (_one, i) => ({ key: `s${i}`, type: 'noop', depends_on: [] }))
  for (const [from, to] of edges) list[to]?.depends_on?.push(`s${from}`)
  return { key: 'run', type: 'group', steps: list }
}
