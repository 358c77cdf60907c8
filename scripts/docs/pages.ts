import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')

/** A page of the documentation: its path in the repository and its text. */
export type Page = { path: string; text: string }

/** Every page of the documentation, generated ones included. */
export function readPages(): Page[] {
  return find(['*.md', 'docs/**/*.md', '.github/*.md', 'db/**/*.md'])
}

/** The pages whose examples a test runs. */
export function readExamplePages(): Page[] {
  return find(['README.md', 'docs/guide/*.md'])
}

function find(patterns: string[]): Page[] {
  return globSync(patterns, { cwd: root })
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}
