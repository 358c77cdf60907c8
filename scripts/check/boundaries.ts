import { dirname, join } from 'node:path/posix'
import type { TextFile } from './files.ts'
import type { Outcome } from './outcome.ts'
import { count } from './outcome.ts'

/** The parts of the worker, lowest first. A part may import lower parts only, so parts of one level don't know each other. */
const levels = [
  ['docs/drama.schema.json'],
  ['worker/shared'],
  ['worker/outcomes', 'worker/queue'],
  ['worker/heartbeat'],
  ['worker/steps'],
  ['worker/adapters', 'worker/templates'],
  ['worker/config.ts', 'worker/handlers', 'worker/tasks'],
  ['worker/start_worker.ts'],
  ['worker/main.ts'],
]

/** The engine: what runs jobs and steps of any product. */
const engine = /^(worker\/(heartbeat|outcomes|queue|steps)|db\/modules\/20_jobs)\//

/** Words of products, as whole parts of a name: `apply_drama_outputs` has one, `generate_series` and `_private_tasks` have none. */
const products = new Set(
  [
    ...['drama', 'episode', 'scene', 'portrait', 'outline', 'gemini', 'veo', 'imagen', 'template', 'artifact', 'asset'],
    ...['media', 'card', 'scenario', 'studio', 'generation', 'hairstyle', 'payment', 'paymob', 'credit'],
  ].flatMap((word) => [word, `${word}s`]),
)

/** The table of the agent queue, and what would be called after it. Tasks of graphile-worker are not products. */
const agentTasks = /\b(?:public|app)\s*\.\s*"?[a-z_]*tasks?\b/

/** Checks that the sidecar knows worker/shared only, the worker's parts import downwards, and the engine names no product. */
export function checkBoundaries(files: TextFile[]): Outcome {
  return {
    said: `${count(files.length, 'file')}: imports go downwards, and the engine names no product`,
    problems: [...files.flatMap(findForbiddenImports), ...files.flatMap(findProductNames)],
    remedy: 'Pass the object from worker/main.ts, or register a callback with the engine (app.register_callbacks).',
  }
}

/** The imports of a file of the worker or the sidecar that its part may not have. Tests may import anything. */
export function findForbiddenImports({ path, text }: TextFile): string[] {
  if (!/^(worker|sidecar)\/.*(?<!\.test)\.ts$/.test(path)) return []
  return listImports({ path, text }).flatMap(({ line, target }) => {
    const fault = path.startsWith('sidecar/') ? findSidecarFault(target) : findWorkerFault(path, target)
    return fault === undefined ? [] : [`${path}:${line}: imports ${target}, ${fault}`]
  })
}

/** The places where a file of the engine names a product, in code or in a comment. */
export function findProductNames({ path, text }: TextFile): string[] {
  if (!engine.test(path)) return []
  return text.split('\n').flatMap((line, index) => {
    const word = agentTasks.exec(line)?.[0] ?? splitWords(line).find((one) => products.has(one))
    return word === undefined ? [] : [`${path}:${index + 1}: names "${word}"; the engine knows no product`]
  })
}

function findSidecarFault(target: string): string | undefined {
  if (/^(sidecar|worker\/shared)\//.test(target)) return undefined
  return 'but the sidecar imports from worker/shared only'
}

function findWorkerFault(path: string, target: string): string | undefined {
  const [from, to] = [findPart(path), findPart(target)]
  if (from === undefined) return `but the file is not part of a level in scripts/check/boundaries.ts`
  if (to === undefined) return 'but that is not part of a level in scripts/check/boundaries.ts'
  if (from.part === to.part || to.level < from.level) return undefined
  return to.level > from.level
    ? `but ${to.part} is above ${from.part}`
    : `but ${to.part} is on the level of ${from.part}`
}

function findPart(path: string): { part: string; level: number } | undefined {
  for (const [level, parts] of levels.entries()) {
    const part = parts.find((one) => path === one || path.startsWith(`${one}/`))
    if (part !== undefined) return { part, level }
  }
  return undefined
}

/** The files of the project that a file imports or runs as a thread, as paths from the root. */
function listImports({ path, text }: TextFile): { line: number; target: string }[] {
  return [...text.matchAll(/(?:\bfrom|\bimport|\bnew Worker\(new URL)\s*\(?\s*(['"])(\.[^'"]+)\1/g)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    target: join(dirname(path), match[2] ?? ''),
  }))
}

/** The words of a line in lower case: `applyDramaOutputs`, `apply_drama_outputs` and `drama's` all have "drama". */
function splitWords(line: string): string[] {
  return line
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
}
