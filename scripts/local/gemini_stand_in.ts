import { startGemini } from './gemini.ts'

/** The stand-in as a process, which the local stack starts if GEMINI_API_KEY is not set. */
const standIn = await startGemini({
  port: Number(process.argv[2] ?? 0),
  log: (line) => console.log(`${new Date().toISOString()} STAND-IN, NOT GEMINI: ${line}`),
})
console.log(`${'*'.repeat(100)}
*** This is a STAND-IN for Gemini at ${standIn.url}: it invents texts and images.
*** For real texts and images, set GEMINI_API_KEY and start again.
${'*'.repeat(100)}`)
process.on('SIGTERM', () => void standIn.stop().then(() => process.exit(0)))
