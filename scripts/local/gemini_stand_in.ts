import { startGemini } from './gemini.ts'

/** The stand-in as a process of its own, as the local stack starts it where there is no GEMINI_API_KEY. */
const standIn = await startGemini({
  port: Number(process.argv[2] ?? 0),
  log: (line) => console.log(`${new Date().toISOString()} STAND-IN, NOT GEMINI: ${line}`),
})
console.log(`${'*'.repeat(100)}
*** This is a STAND-IN for Gemini at ${standIn.url}: what it writes and draws is made up, and means nothing.
*** Set GEMINI_API_KEY, and start again, to have real ones.
${'*'.repeat(100)}`)
process.on('SIGTERM', () => void standIn.stop().then(() => process.exit(0)))
