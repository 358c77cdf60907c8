import type { StepSpec } from '../../worker/steps/define_handler.ts'
import type { Poison } from '../testing/poison.ts'

/** A run with a step that harms its process, and how the step must end. */
export type PoisonedRun = { name: string; spec: StepSpec; ends: string[] }

/** How long a healthy step computes without a pause: longer than the lease, shorter than the limit for stalls. */
const computeMs = 4700

/**
 * The job types of {@link makePoisons}, as SQL. Chaos kills the processes of poisoned steps, too, so the types whose steps fail
 * with a slug of their own may count many losses.
 */
export const poisonTypes = `
  insert into job_types (name, max_failures, max_losses, backoff, timeout) values
    ('toxin', 2, 3, '10 ms', '1 minute'), ('spin', 2, 3, '10 ms', '1 minute')
  on conflict do nothing;
  update job_types set max_losses = 50 where name not in ('toxin', 'spin')`

/** Accidents whose step the async context tells: the step fails with handler_crashed after two attempts. */
const traceable: Poison[] = [
  'rejection in a timer',
  'rejection that nothing awaits',
  'throw in a timer',
  'error event without a listener',
  'process.exit',
]
/** Crashes whose step nothing tells: the step fails with worker_lost after three losses. */
const untraceable: Poison[] = ['throw in a listener that another context calls', 'out of memory']

/** One run for each way in which a step can harm its process. Each poisoned step has two healthy neighbours. */
export function makePoisons(): PoisonedRun[] {
  return [
    ...traceable.map((kind) => make(kind, 'poison', { kind }, ['handler_crashed'])),
    ...untraceable.map((kind) => make(kind, 'toxin', { kind }, ['worker_lost'])),
    // Its last loss may come from a process that another step ended before the step had begun.
    make('endless computation', 'spin', {}, ['worker_stalled', 'worker_lost']),
    make('long computation', 'compute', { ms: computeMs }, ['completed']),
  ]
}

function make(name: string, type: string, input: unknown, ends: string[]): PoisonedRun {
  const steps: StepSpec[] = [
    { key: 'nap-1', type: 'nap', input: { ms: 400 } },
    { key: 'poison', type, input, on_failure: 'continue' },
    { key: 'nap-2', type: 'nap', input: { ms: 800 } },
    { key: 'last', type: 'noop', depends_on: ['nap-1', 'poison', 'nap-2'] },
  ]
  return { name, spec: { key: 'run', type: 'group', steps }, ends }
}
