import { readArguments } from './commands/read_arguments.ts'
import { findStale, writePictures } from './docs/pictures.ts'

const { options } = readArguments('docs:pictures', {
  options: { check: { type: 'boolean', about: 'writes nothing, and exits with 1 if a file is out of date' } },
  about:
    'Draws docs/architecture.svg from docs/architecture.mmd, and writes a diagram of each module’s tables to docs/er/ from\n' +
    'db/catalog.txt.',
  example: 'docs:pictures -- --check',
})
if (options.check) {
  const stale = findStale()
  for (const path of stale) console.error(`${path} is out of date: run npm run docs:pictures.`)
  if (stale.length > 0) process.exitCode = 1
} else {
  for (const path of writePictures()) console.log(path)
}
