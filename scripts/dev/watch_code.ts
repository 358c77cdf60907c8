import { relative, resolve } from 'node:path'
import type { Stack } from '../local/stack.ts'
import { watchFolder } from './watch_folder.ts'

const root = resolve(import.meta.dirname, '../..')

/** The folders whose code each process runs. */
const code = { worker: ['worker'], sidecar: ['sidecar', 'worker/shared'] } as const

/** Restarts worker and sidecar of a stack when their code changes. Returns a function that ends it. */
export function watchCode(stack: Stack, say: (line: string) => void): () => void {
  const endings = (['worker', 'sidecar'] as const).flatMap((name) => {
    let timer: NodeJS.Timeout | undefined
    const restart = (path: string) => {
      if (!/(?<!\.test)\.(ts|json)$/.test(path)) return
      // Editors save in several steps, so changes within a moment cause one restart.
      clearTimeout(timer)
      timer = setTimeout(() => {
        say(`${name}: ${relative(root, path)} changed`)
        stack.restart(name)
      }, 150)
    }
    return [...code[name].map((folder) => watchFolder(resolve(root, folder), restart)), () => clearTimeout(timer)]
  })
  return () => {
    for (const end of endings) end()
  }
}
