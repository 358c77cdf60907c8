import type { StepSpec } from '../../worker/steps/define_handler.ts'

/** Makes a run with each kind of step; `n` varies how long they take and how often they fail. */
export function makeRun(n: number): StepSpec {
  return {
    key: 'run',
    type: 'group',
    steps: [
      { key: 'first', type: 'noop' },
      { key: 'nap', type: 'nap', input: { ms: 20 + (n % 7) * 60 }, depends_on: ['first'] },
      { key: 'flaky', type: 'flaky', input: { failures: n % 3 }, depends_on: ['first'] },
      { key: 'poll', type: 'poll', input: { turns: n % 4 } },
      {
        key: 'tree',
        type: 'branch',
        input: { children: 1 + (n % 4), depth: 1 + (n % 2) },
        depends_on: ['first'],
        collect: 'children',
      },
      { key: 'last', type: 'noop', depends_on: ['nap', 'flaky', 'poll', 'tree'] },
    ],
  }
}
