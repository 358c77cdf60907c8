import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { drawPicture } from './draw_picture.ts'
import { root } from './pages.ts'

/** A generated file of docs/, and what it should hold. */
export type Picture = { path: string; text: string }

/** Every generated picture, as it should be now. */
export function readPictures(): Picture[] {
  const read = (path: string) => readFileSync(join(root, path), 'utf8')
  return [
    { path: 'docs/architecture.svg', text: drawPicture('The architecture of Plinth', read('docs/architecture.mmd')) },
  ]
}

/** The generated files that are missing or differ from what they should hold. */
export function findStale(): string[] {
  return readPictures()
    .filter(({ path, text }) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text)
    .map(({ path }) => path)
}
