import { expect, test } from 'vitest'
import { findForbiddenImports, findProductNames } from './boundaries.ts'

const importing = (path: string, from: string) =>
  findForbiddenImports({ path, text: `import { z } from 'zod'\nimport { one } from '${from}'\n` })

test.each([
  ['sidecar/assets.ts', '../worker/shared/db.ts'],
  ['sidecar/assets.ts', './problem.ts'],
  ['sidecar/assets.test.ts', '../worker/tasks/index.ts'],
  ['worker/tasks/run_steps.ts', '../steps/pump.ts'],
  ['worker/tasks/run_steps.ts', './deps.ts'],
  ['worker/handlers/dramas/deps.ts', '../../adapters/gemini.ts'],
  ['worker/adapters/gemini.ts', '../outcomes/outcome.ts'],
  ['worker/steps/pump.ts', '../heartbeat/beats.ts'],
  ['worker/main.ts', './start_worker.ts'],
  ['worker/steps/steps.test.ts', '../../scripts/testing/database.ts'],
  ['scripts/db_check.ts', '../worker/main.ts'],
])('%s may import %s', (path, from) => {
  expect(importing(path, from)).toEqual([])
})

test.each([
  ['sidecar/assets.ts', '../worker/config.ts', 'but the sidecar imports from worker/shared only'],
  ['sidecar/assets.ts', '../worker/templates/config.ts', 'but the sidecar imports from worker/shared only'],
  ['sidecar/main.ts', '../scripts/local/home.ts', 'but the sidecar imports from worker/shared only'],
  ['worker/shared/db.ts', '../steps/pump.ts', 'but worker/steps is above worker/shared'],
  ['worker/steps/define_handler.ts', '../adapters/gemini.ts', 'but worker/adapters is above worker/steps'],
  ['worker/steps/pump.ts', '../handlers/dramas/deps.ts', 'but worker/handlers is above worker/steps'],
  ['worker/queue/runner.ts', '../tasks/index.ts', 'but worker/tasks is above worker/queue'],
  ['worker/heartbeat/beats.ts', '../steps/slots.ts', 'but worker/steps is above worker/heartbeat'],
  ['worker/queue/runner.ts', '../outcomes/outcome.ts', 'but worker/outcomes is on the level of worker/queue'],
  ['worker/templates/resolver.ts', '../adapters/gemini.ts', 'but worker/adapters is on the level of worker/templates'],
  ['worker/handlers/index.ts', '../tasks/index.ts', 'but worker/tasks is on the level of worker/handlers'],
  ['worker/handlers/index.ts', '../start_worker.ts', 'but worker/start_worker.ts is above worker/handlers'],
  ['worker/tasks/index.ts', '../../sidecar/server.ts', 'but that is not part of a level'],
  ['worker/tasks/index.ts', '../new/thing.ts', 'but that is not part of a level'],
  ['worker/new/thing.ts', '../shared/db.ts', 'but the file is not part of a level'],
])('%s may not import %s', (path, from, fault) => {
  expect(importing(path, from)).toEqual([expect.stringContaining(fault)])
})

test('imports of every form are found, with their lines', () => {
  const text = [
    "import './a.ts'",
    "export { b } from '../tasks/b.ts'",
    'import type {',
    '  C,',
    "} from '../tasks/c.ts'",
    "const d = await import('../tasks/d.ts')",
    'import { e } from "../tasks/e.ts"',
    "new Worker(new URL('../tasks/f.ts', import.meta.url))",
  ].join('\n')
  const found = findForbiddenImports({ path: 'worker/queue/runner.ts', text })
  expect(found.map((fault) => fault.split(',')[0])).toEqual(
    [
      [2, 'b'],
      [5, 'c'],
      [6, 'd'],
      [7, 'e'],
      [8, 'f'],
    ].map(([line, name]) => `worker/queue/runner.ts:${line}: imports worker/tasks/${name}.ts`),
  )
})

test.each([
  ['worker/steps/pump.ts', 'const media = deps.dramaMedia', 'media'],
  ['worker/steps/pump.ts', '// As a drama needs it.', 'drama'],
  ['worker/queue/runner.ts', 'function sweepTemplateUploads() {}', 'template'],
  ['worker/steps/run_step.test.ts', "test('a step of Gemini', () => {})", 'gemini'],
  ['db/modules/20_jobs/finish_work.sql', '  perform app.apply_drama_outputs(v_ids);', 'drama'],
  ['db/modules/20_jobs/finish_work.sql', '  from public.scenes as s', 'scenes'],
  ['db/modules/20_jobs/finish_work.sql', '  from public.tasks as t', 'public.tasks'],
  ['db/modules/20_jobs/finish_work.sql', '  perform app.finish_task(v_id);', 'app.finish_task'],
  ['db/modules/20_jobs/finish_work.sql', '  update app.generations set status = 1;', 'generations'],
])('%s may not say: %s', (path, text, word) => {
  expect(findProductNames({ path, text: `\n${text}` })).toEqual([
    `${path}:2: names "${word}"; the engine knows no product`,
  ])
})

test.each([
  ['worker/steps/pump.ts', 'setImmediate(() => generate(mediation))'],
  ['worker/queue/define_task.ts', 'export type TaskFactory = (services) => Task'],
  ['db/modules/20_jobs/submit_run.sql', 'select generate_series(1, 2) from graphile_worker._private_tasks'],
  ['db/modules/60_dramas/generate_drama.sql', 'create function app.generate_drama()'],
  ['worker/handlers/index.ts', "import { dramaHandlers } from './dramas/index.ts'"],
])('%s may say: %s', (path, text) => {
  expect(findProductNames({ path, text })).toEqual([])
})
