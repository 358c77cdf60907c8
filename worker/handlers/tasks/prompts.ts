import { StepError } from '../../steps/define_handler.ts'
import { render, TemplateError } from '../../templates/resolver.ts'
import type { AgentTaskContext } from './deps.ts'

/** The prompts of one version of bundle `agent`. */
export type Prompts = {
  version: string
  /** Fills in a prompt. Texts of users belong into `data` alone, which becomes JSON, so that no text can end it. */
  fill(kind: 'tick_system' | 'tick_prompt' | 'summary_system' | 'summary_prompt', variables?: Variables): string
}

type Variables = { data: object; [name: string]: unknown }

/** Loads the prompts of this version, or of the default version. */
export async function loadPrompts(
  { id, ownerId, signal, deps }: AgentTaskContext,
  version: string | undefined,
): Promise<Prompts> {
  const request = { template: 'agent', locale: 'en', key: ownerId ?? String(id), jobId: id, signal } as const
  const resolved = await deps.templates
    .resolve({ ...request, ...(version !== undefined && { version }) })
    .catch((cause: unknown) => {
      if (!(cause instanceof TemplateError)) throw cause
      const message = 'No source has the prompts of agent tasks. Retry the task. If it fails again, tell the operator.'
      throw new StepError('template_unavailable', message, { cause })
    })
  return {
    version: resolved.version,
    fill(kind, variables = { data: {} }) {
      const text = resolved.artifacts[kind]?.text
      if (text === undefined) {
        throw new StepError('template_incomplete', `Version ${resolved.version} of template agent has no ${kind}.`)
      }
      try {
        return render(text, variables)
      } catch (cause) {
        const message = `The ${kind} of version ${resolved.version} of template agent cannot be filled in. Tell the operator.`
        throw new StepError('template_incomplete', message, { cause })
      }
    },
  }
}
