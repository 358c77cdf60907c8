import { findStale, writePictures } from './docs/pictures.ts'

const usage = `Usage: npm run docs:pictures
  Draws docs/architecture.svg from docs/architecture.mmd, and writes a diagram of each module's tables to docs/er/
  from db/catalog.txt.
  -- --check   writes nothing; exits with 1 if a file is out of date`

const [option, ...rest] = process.argv.slice(2)
if (option === '--help') {
  console.log(usage)
} else if (rest.length > 0 || (option !== undefined && option !== '--check')) {
  console.error(usage)
  process.exitCode = 2
} else if (option === '--check') {
  const stale = findStale()
  for (const path of stale) console.error(`${path} is out of date: run npm run docs:pictures.`)
  if (stale.length > 0) process.exitCode = 1
} else {
  for (const path of writePictures()) console.log(path)
}
