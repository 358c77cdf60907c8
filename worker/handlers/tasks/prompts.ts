import { fillPrompt, resolveTemplate } from '../prompts.ts'
import type { AgentTaskContext } from './deps.ts'

/** The prompts of one version of template `agent`. */
export type Prompts = {
  version: string
  /** Fills in a prompt. Put texts of users into `data` only: `data` becomes JSON, which no text can end. */
  fill(kind: 'tick_system' | 'tick_prompt' | 'summary_system' | 'summary_prompt', variables?: Variables): string
}

type Variables = { data: object; [name: string]: unknown }

/** Loads the prompts of this version, or of the default version. */
export async function loadPrompts(context: AgentTaskContext, version: string | undefined): Promise<Prompts> {
  const resolved = await resolveTemplate(
    context,
    { template: 'agent', version, locale: 'en' },
    'No source has the prompts of agent tasks. Retry the task. If it fails again, tell the operator.',
  )
  return {
    version: resolved.version,
    fill: (kind, variables = { data: {} }) => fillPrompt(resolved, kind, variables),
  }
}
