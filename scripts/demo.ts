import { readArguments } from './commands/read_arguments.ts'
import { apiKeys } from './demo/api_keys.ts'
import { showCatalogue } from './demo/catalogue.ts'
import { showCredits } from './demo/credits.ts'
import { generateDrama } from './demo/drama.ts'
import { measureMemory } from './demo/memory.ts'
import { buyCredits } from './demo/payments.ts'
import { shareFlow } from './demo/share_flow.ts'
import { shareSession } from './demo/share_session.ts'
import { signUp } from './demo/sign_up.ts'
import { editPhotos } from './demo/studio.ts'
import { runTasks } from './demo/tasks.ts'
import { resolveTemplates } from './demo/templates.ts'
import { homeFolder, readEnv } from './local/home.ts'
import { explain } from './local/process.ts'
import { type Stack, startStack } from './local/stack.ts'
import { tokenForEmail } from './local/user.ts'

/** The acts of each system. Each uses the stack as a client would, and throws if something is not as promised. */
const acts = [
  { title: 'Sharing: one stranger shares a flow, another opens it', play: shareFlow },
  { title: 'Sharing: cards and sessions, and the files that they show', play: shareSession },
  { title: 'Users: a sign-up by the code of a mail', play: signUp },
  { title: 'Templates: prompts that are published once, and load even if a service fails', play: resolveTemplates },
  { title: 'Dramas: a premise becomes a document, by a tree of jobs', play: generateDrama },
  { title: 'Tasks: an agent works on a mandate, asks a question, and stops when told', play: runTasks },
  { title: 'Studio: the catalogue, a balance, and everything about a user as one document', play: showCatalogue },
  {
    title: 'Credits: reserved for a run, charged when the run completes, given back when it does not',
    play: showCredits,
  },
  { title: 'Payments: credits are bought, spent, and taken back by a refund', play: buyCredits },
  {
    title: 'Studio: a photo is edited, from the cache the second time, until the credits are used up',
    play: editPhotos,
  },
  { title: 'API keys: a program acts as the owner of its key', play: apiKeys },
]

readArguments('demo', { environment: ['PLINTH_HOME', 'GEMINI_API_KEY'], example: 'demo' })

const home = homeFolder()
let stack: Stack | undefined
try {
  let env = readEnv(home)
  if (!env) {
    console.log('No local stack runs; starting one for the demo …')
    stack = await startStack(home, (line) => console.log(line))
    env = stack.env
  }
  const { processes, megabytes } = measureMemory(home)
  console.log(`The idle stack needs ${megabytes} MB: the sum of PSS of its ${processes} processes.`)
  const { SUPABASE_URL: url = '', SUPABASE_ANON_KEY: anonKey = '' } = env
  const tokenFor = tokenForEmail.bind(undefined, env)
  for (const [index, act] of acts.entries()) {
    console.log(`\n${index + 1}. ${act.title}\n`)
    await act.play({
      url,
      anonKey,
      env,
      home,
      tokenFor,
      step: (what, ms) =>
        console.log(`   ${what.padEnd(72)} ${ms === undefined ? '' : `${ms.toFixed(1).padStart(8)} ms`}`),
    })
  }
  console.log('\nEvery system works as promised.')
} catch (error) {
  console.error(explain(error, home))
  process.exitCode = 1
} finally {
  await stack?.stop()
}
